package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// TokenKeeper is what can be done to tokens.
type TokenKeeper interface {
	// Tokens gives those of the configuration first, then the oldest.
	Tokens() []access.Token
	// Create gives the plain text, once.
	Create(ctx context.Context, by access.Caller, name string, g access.Grant, expires time.Time) (plain string, t access.Token, err error)
	// Revoke takes an id or a name. One that is revoked already stays as it is.
	Revoke(ctx context.Context, idOrName string) (access.Token, error)
}

func (s *Server) tokenRoutes() {
	handle(s, op(http.MethodGet, "/v1/tokens", "list-tokens", "List the tokens, those of the configuration first"), s.listTokens)
	create := op(http.MethodPost, "/v1/tokens", "create-token", "Make a token; its text is told this once")
	create.DefaultStatus = http.StatusCreated
	create.Description = "The first token needs the scope `admin`: until then everybody on the server's machine may do everything, and from then on nobody without a token."
	handle(s, create, s.createToken, problem.TokenRefused)
	handle(s, op(http.MethodDelete, "/v1/tokens/{name}", "revoke-token", "Take a token back, by its name or id; it opens nothing from now on"),
		s.revokeToken, problem.TokenNotFound, problem.TokenRefused)
}

func (s *Server) listTokens(context.Context, *struct{}) (*reply[api.Tokens], error) {
	answer := api.Tokens{Tokens: []api.Token{}}
	for _, t := range s.opts.Access.Tokens() {
		answer.Tokens = append(answer.Tokens, tokenOf(t))
	}
	return &reply[api.Tokens]{answer}, nil
}

// createdToken must not be kept by whoever keeps answers.
type createdToken struct {
	CacheControl string `header:"Cache-Control"`
	Body         api.NewToken
}

func (s *Server) createToken(ctx context.Context, in *reply[api.TokenRequest]) (*createdToken, error) {
	about(ctx, in.Body.Name)
	g := access.Grant{Namespace: in.Body.Namespace, Images: in.Body.Images, Meta: in.Body.Meta}
	for _, scope := range in.Body.Scopes {
		g.Scopes = append(g.Scopes, access.Scope(scope))
	}
	if in.Body.Policy != nil {
		policy := access.Policy(*in.Body.Policy)
		g.Policy = &policy
	}
	var expires time.Time
	if in.Body.ExpiresIn > 0 {
		expires = time.Now().Add(time.Duration(in.Body.ExpiresIn))
	}
	plain, t, err := s.opts.Access.Create(ctx, callerOf(ctx), in.Body.Name, g, expires)
	if err != nil {
		return nil, err
	}
	return &createdToken{CacheControl: "no-store", Body: api.NewToken{Token: tokenOf(t), Secret: plain}}, nil
}

func (s *Server) revokeToken(ctx context.Context, in *struct {
	Name string `path:"name" doc:"The token's name or id." example:"airflow"`
},
) (*reply[api.RevokedToken], error) {
	begun := time.Now()
	t, err := s.opts.Access.Revoke(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &reply[api.RevokedToken]{api.RevokedToken{Token: tokenOf(t), Already: t.Revoked.Before(begun)}}, nil
}

func tokenOf(t access.Token) api.Token {
	token := api.Token{
		ID: t.ID, Name: t.Name, Scopes: []string{}, Namespace: t.Namespace, Images: t.Images, Meta: t.Meta, Configured: t.Configured,
		CreatedAt: when(t.Created), By: t.By, ExpiresAt: when(t.Expires), RevokedAt: when(t.Revoked), UsedAt: when(t.Used),
	}
	for _, scope := range t.Scopes {
		token.Scopes = append(token.Scopes, string(scope))
	}
	if t.Policy != nil {
		policy := api.RunPolicy(*t.Policy)
		token.Policy = &policy
	}
	return token
}
