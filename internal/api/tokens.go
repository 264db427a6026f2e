package api

import (
	"context"
	"net/http"
	"time"
)

// RunPolicy is what the runs of a token may ask for, where the server's policy
// allows it, too.
type RunPolicy struct {
	Privileged     bool     `json:"privileged,omitempty"`
	HostNamespaces bool     `json:"host_namespaces,omitempty" doc:"The host's network, pid and ipc, and those of other containers."`
	BindMounts     []string `json:"bind_mounts,omitempty" doc:"Folders of the hosts; one that ends in /** with all below it."`
	Volumes        []string `json:"volumes,omitempty" doc:"Names, or their beginnings and *; empty: any."`
	Networks       []string `json:"networks,omitempty" doc:"Names; empty: any but the host's and containers'."`
	CapAdd         []string `json:"cap_add,omitempty"`
	Devices        []string `json:"devices,omitempty"`
	SecurityOpt    []string `json:"security_opt,omitempty"`
	Sysctls        []string `json:"sysctls,omitempty"`
	SecretFiles    []string `json:"secret_files,omitempty" doc:"Folders of the server below which secret_env may read."`
}

// PolicyRequest is a RunPolicy on its way to the server.
type PolicyRequest RunPolicy

// TokenRequest asks for a token.
type TokenRequest struct {
	Name      string            `json:"name" minLength:"1" maxLength:"63" doc:"Who holds it; it stands in the history of what is done." example:"airflow"`
	Scopes    []string          `json:"scopes" minItems:"1" enum:"read,run,warm,admin" doc:"What it may do. run and warm include read, admin includes all."`
	Namespace string            `json:"namespace,omitempty" maxLength:"63" doc:"Where its keys, pin scopes, runs and logs are. Left out: default."`
	Images    []string          `json:"images,omitempty" maxItems:"100" doc:"Patterns of the names of images that it may run and warm. Left out: all." example:"[\"etl-*\"]"`
	Meta      map[string]string `json:"meta,omitempty" doc:"What each of its runs carries. A submit that says otherwise is refused."`
	Policy    *PolicyRequest    `json:"policy,omitempty" doc:"Narrows the server's policy for its runs. Left out: it does not."`
	ExpiresIn Duration          `json:"expires_in,omitempty" doc:"Left out: never."`
}

// Token is what is known of a token.
type Token struct {
	ID         string            `json:"id,omitempty"`
	Name       string            `json:"name"`
	Scopes     []string          `json:"scopes" enum:"read,run,warm,admin"`
	Namespace  string            `json:"namespace"`
	Images     []string          `json:"images,omitempty"`
	Meta       map[string]string `json:"meta,omitempty"`
	Policy     *RunPolicy        `json:"policy,omitempty"`
	Configured bool              `json:"configured" doc:"It is of the server's configuration."`
	CreatedAt  *time.Time        `json:"created_at,omitempty"`
	By         string            `json:"by,omitempty" doc:"The caller that made it."`
	ExpiresAt  *time.Time        `json:"expires_at,omitempty"`
	RevokedAt  *time.Time        `json:"revoked_at,omitempty"`
	UsedAt     *time.Time        `json:"used_at,omitempty" doc:"To the minute."`
}

// NewToken is the answer to a TokenRequest.
type NewToken struct {
	Token
	Secret string `json:"token" doc:"What to send as Authorization: Bearer. It is told this once."`
}

// RevokedToken is a token that was taken back.
type RevokedToken struct {
	Token
	Already bool `json:"already" doc:"It was revoked before this call."`
}

// Tokens are all there are.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, r TokenRequest) (NewToken, error) {
	return do[NewToken](ctx, c, http.MethodPost, "/v1/tokens", r)
}

// Tokens lists the tokens.
func (c *Client) Tokens(ctx context.Context) (Tokens, error) {
	return do[Tokens](ctx, c, http.MethodGet, "/v1/tokens", nil)
}

// RevokeToken takes a token back, by its name or its id.
func (c *Client) RevokeToken(ctx context.Context, idOrName string) (RevokedToken, error) {
	return do[RevokedToken](ctx, c, http.MethodDelete, "/v1/tokens/"+segment(idOrName), nil)
}
