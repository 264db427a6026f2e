package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// Access is what the API needs to know of who may come in.
type Access interface {
	// Open tells whether everybody on this machine may do everything.
	Open() bool
	ByToken(plain string, now time.Time) (access.Caller, error)
	ByCertificate(commonName string) (access.Caller, error)
	TokenKeeper
}

// unlocked is where there are no tokens, and can be none.
type unlocked struct{}

func (unlocked) Open() bool { return true }

func (unlocked) Tokens() []access.Token { return nil }

func (unlocked) ByToken(string, time.Time) (access.Caller, error) { return access.Caller{}, noTokens() }

func (unlocked) ByCertificate(string) (access.Caller, error) { return access.Caller{}, noTokens() }

func (unlocked) Create(context.Context, access.Caller, string, access.Grant, time.Time) (string, access.Token, error) {
	return "", access.Token{}, noTokens()
}

func (unlocked) Revoke(context.Context, string) (access.Token, error) {
	return access.Token{}, noTokens()
}

func noTokens() error {
	return problem.New(problem.Unauthenticated, "this server knows no tokens", "call it without one")
}

type callerKey struct{}

func withCaller(ctx context.Context, c access.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is who a request is from: nobody, who may do nothing, where it did not
// say so and need not.
func callerOf(ctx context.Context) access.Caller {
	c, _ := ctx.Value(callerKey{}).(access.Caller)
	return c
}

// by is the name under which something is done: the caller's, which was proven,
// with what it says of itself.
func by(ctx context.Context, said string) string {
	name := callerOf(ctx).Name
	switch {
	case name == "":
		return said
	case said == "":
		return name
	}
	return name + " (" + said + ")"
}

// identify tells who a request is from, by its token, else by the certificate of
// its connection, else by where it comes from.
func (s *Server) identify(r *http.Request) (access.Caller, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return access.Caller{}, problem.New(problem.Unauthenticated, "the request's Authorization is no bearer token", "send the header Authorization: Bearer TOKEN")
		}
		return s.opts.Access.ByToken(strings.TrimSpace(token), time.Now())
	}
	open := s.opts.Access.Open()
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && !open {
		if !s.opts.Certificates.trusts(r.TLS.VerifiedChains, time.Now()) {
			return access.Caller{}, problem.New(problem.Unauthenticated, "the certificate of the connection is not good any more", "connect again with one that is")
		}
		return s.opts.Access.ByCertificate(r.TLS.VerifiedChains[0][0].Subject.CommonName)
	}
	switch {
	case !open:
		return access.Caller{}, problem.New(problem.Unauthenticated, "the request has no token",
			"set PREWARM_TOKEN or PREWARM_TOKEN_FILE, or send the header Authorization: Bearer TOKEN")
	case s.beyond.Load():
		return access.Caller{}, problem.New(problem.Unauthenticated, "this server is reached from beyond its machine, and has no tokens", "add auth.tokens to its configuration")
	}
	if sign := s.proxied(r); sign != "" {
		return access.Caller{}, problem.New(problem.Unauthenticated,
			fmt.Sprintf("the request came through a proxy (%s), and there are no tokens: whoever reaches the proxy would be let in", sign),
			"make a token on the server's machine: prewarm token create NAME --scope admin")
	}
	return access.Anonymous(), nil
}

// forwardings are headers by which proxies tell for whom they ask. A request
// with one of them comes from this machine by its address only.
var forwardings = []string{
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "X-Client-Ip",
	"True-Client-Ip", "Cf-Connecting-Ip", "X-Original-Forwarded-For", "X-Envoy-External-Address",
}

// proxied says what tells that a request came through a proxy; empty: nothing. A
// header does, and the name or an address by which others than this machine reach
// the API. So does HTTP/1.0: it is what nginx speaks where it is told nothing
// else, without any header that says for whom.
func (s *Server) proxied(r *http.Request) string {
	for _, name := range forwardings {
		if len(r.Header[name]) > 0 {
			return name
		}
	}
	host := hostOfHeader(r.Host)
	address, err := netip.ParseAddr(host)
	switch public := s.setup.Load().PublicHost; {
	case !r.ProtoAtLeast(1, 1):
		return r.Proto
	case err == nil && !address.Unmap().IsLoopback(), public != "" && strings.EqualFold(host, public) && !isOwn(public):
		return "Host " + host
	}
	return ""
}

// isLoopback tells whether only this machine reaches an address: beyond it there
// is TCP only.
func isLoopback(a net.Addr) bool {
	address, ok := a.(*net.TCPAddr)
	return !ok || address.IP.IsLoopback()
}

// refuseStranger answers a request from nobody who is known. Who goes on trying
// wrong tokens, or wrong links, is answered less and less.
func (s *Server) refuseStranger(w http.ResponseWriter, r *http.Request, err error) {
	tried := r.Header.Get("Authorization") != "" || s.linkOf(r, time.Now()).state == wrongLink
	if problem.CodeOf(err) == problem.Unauthenticated && tried && !s.strikes.allow(r.RemoteAddr) {
		err = tooMany("too many wrong tokens and links came from this address", time.Second)
	}
	if _, page := pageOf(r); page {
		s.refusePage(w, r, err)
		return
	}
	failure(err).write(w)
}
