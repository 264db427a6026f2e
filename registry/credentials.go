package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// Credentials log an engine in to a registry, for its X-Registry-Auth header.
// The zero Credentials are anonymous. However they are printed, logged or
// encoded, the secrets don't show: whoever needs them reads the fields.
type Credentials struct {
	Username, Password string
	IdentityToken      string // an OAuth refresh token, in place of a password
	RegistryToken      string // a bearer token, sent to the registry as it is
	// Server is the server address that engines compare with the registry they
	// pull from, and drop the credentials where it differs.
	Server string
}

// hubServer is Docker Hub's server address, as docker login writes it. Every
// engine understands this spelling; before version 28 the containerd store takes
// docker.io for some other registry and drops the credentials.
const hubServer = authn.DefaultAuthKey

// Anonymous tells whether there is nothing to log in with.
func (c Credentials) Anonymous() bool {
	return c.Username == "" && c.Password == "" && c.IdentityToken == "" && c.RegistryToken == ""
}

// String names the user and the server.
func (c Credentials) String() string {
	if c.Anonymous() {
		return "anonymous"
	}
	return fmt.Sprintf("%s at %s (secrets hidden)", c.Username, c.Server)
}

// GoString is String: %#v shows no secret either.
func (c Credentials) GoString() string { return c.String() }

// Format is String for every verb: %d, for one, would print the fields.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON is String, quoted. What an engine reads is made elsewhere, of the
// fields.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String names the registry and the user.
func (a Access) String() string {
	return fmt.Sprintf("%s as %q (password hidden), plain HTTP %t", a.Name, a.Username, a.PlainHTTP)
}

// GoString is String: %#v shows no password either.
func (a Access) GoString() string { return a.String() }

// Format is String for every verb.
func (a Access) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// LogValue is String.
func (a Access) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON is String, quoted.
func (a Access) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// Format names the type alone: some verbs would print the passwords within.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "registry client") }

// Credentials gives the login for a repository: the one of the Options, else
// what the Docker config file or its credential helpers have for its registry,
// else none. A helper may answer for an hour only, so ask again for each pull;
// those who ask while it runs share its answer.
func (c *Client) Credentials(ctx context.Context, repo Repository) (Credentials, error) {
	c.mu.Lock()
	access, timeout := c.access[canonicalHost(repo.Host())], c.options.Timeout
	c.mu.Unlock()
	target, err := targetOf(repo, access.PlainHTTP)
	if err != nil {
		return Credentials{}, problem.New(problem.InvalidRequest, err.Error(), "")
	}
	found, err := c.lookup(ctx, access, target.Registry, wish{limit: timeout})
	if err != nil {
		return Credentials{}, err
	}
	config := found.auth
	cred := Credentials{
		Username: config.Username, Password: config.Password,
		IdentityToken: config.IdentityToken, RegistryToken: config.RegistryToken,
	}
	if !cred.Anonymous() {
		cred.Server = serverAddress(repo.Host())
	}
	return cred, nil
}

func serverAddress(host string) string {
	if canonicalHost(host) == "docker.io" {
		return hubServer
	}
	return host
}
