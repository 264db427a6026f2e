package registry

import (
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// login is what repositories with the same credentials show to their registry:
// a password, or one token for all of them.
type login struct {
	at   *logins
	auth authn.AuthConfig
	turn chan struct{} // holds one value while somebody gets a token

	mu        sync.Mutex
	scopes    []string // of the repositories that share it
	extra     string   // a scope that the registry wants and a repository's name does not tell
	token     token
	grouped   bool // its token was for several
	dissolved bool // the registry refused the group: each for itself now
	private   bool // nobody else may share it
}

// token is a bearer token and what it is good for.
type token struct {
	value   string
	scopes  []string
	renew   time.Time // from then on it is better renewed
	expires time.Time
}

const (
	// unspokenLife is how long a token lives that does not say so (the
	// distribution specification).
	unspokenLife = time.Minute
	// renewAgain is when a token that lives is renewed next, after that failed.
	renewAgain = 30 * time.Second
)

func (t token) serves(scope string, now time.Time) bool {
	return now.Before(t.expires) && slices.Contains(t.scopes, scope)
}

// header is the Authorization that the registry wants, or nothing.
func (l *login) header(ctx context.Context, scope string) (string, error) {
	challenge, err := l.at.challenge(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case l.auth.RegistryToken != "":
		return "Bearer " + l.auth.RegistryToken, nil
	case isBearer(challenge):
		value, err := l.bearer(ctx, challenge, scope)
		return "Bearer " + value, err
	case l.auth.Username != "" && l.auth.Password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.auth.Username+":"+l.auth.Password)), nil
	case l.auth.Auth != "":
		return "Basic " + l.auth.Auth, nil
	}
	return "", nil
}

// bearer gives a token that covers scope. One caller gets it for all; while the
// old one lives, the others go on with that.
func (l *login) bearer(ctx context.Context, challenge *transport.Challenge, scope string) (string, error) {
	now := l.at.endpoint.now()
	have := l.current()
	if have.serves(scope, now) {
		if now.Before(have.renew) {
			return have.value, nil
		}
		select {
		case l.turn <- struct{}{}:
		default:
			return have.value, nil
		}
	} else {
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	defer func() { <-l.turn }()
	now = l.at.endpoint.now()
	if have = l.current(); have.serves(scope, now) && now.Before(have.renew) {
		return have.value, nil
	}
	err := l.exchange(ctx, challenge)
	if have = l.current(); have.serves(scope, l.at.endpoint.now()) {
		return have.value, nil // the old one, where it could not be renewed yet
	}
	return "", err
}

// exchange gets a token for everybody who shares the login.
func (l *login) exchange(ctx context.Context, challenge *transport.Challenge) error {
	auth := authn.Anonymous
	if l.auth != (authn.AuthConfig{}) {
		auth = authn.FromConfig(l.auth)
	}
	scopes, group := l.wanted()
	asked := l.at.endpoint.now()
	got, err := transport.Exchange(ctx, l.at.target, auth, l.at.wire, scopes, challenge)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.token.renew = asked.Add(renewAgain)
		l.dissolved = l.dissolved || isDenied(err) && group
		return err
	}
	value := got.AccessToken // some registries set this, some both
	if value == "" {
		value = got.Token
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	if life <= 0 {
		life = unspokenLife
	}
	l.grouped = group
	l.token = token{value: value, scopes: scopes, renew: asked.Add(life * 4 / 5), expires: asked.Add(life)}
	return nil
}

func (l *login) current() token {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// wanted gives the scopes that the next token is for, and whether they are
// those of several repositories.
func (l *login) wanted() (scopes []string, group bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.extra != "" {
		scopes = append(scopes, l.extra) // some registries look at the first only
	}
	return append(scopes, l.scopes...), len(l.scopes) > 1
}

// reject forgets the token that a header carried, unless it has been renewed
// meanwhile, and notes a scope that the registry asked for and we did not.
func (l *login) reject(header, scope string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if header == "Bearer "+l.token.value {
		l.token = token{}
	}
	// A group asks for what its repositories are called; who needs another
	// scope gets it alone.
	if len(l.scopes) == 1 && scope != "" && scope != l.scopes[0] {
		l.extra = scope
	}
}

// isGroup tells whether a refusal may be another repository's fault.
func (l *login) isGroup() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grouped || l.dissolved
}

func (l *login) isDissolved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dissolved
}

// keyed sends the requests of one repository with its login.
type keyed struct {
	login *login
	scope string
}

var _ http.RoundTripper = keyed{}

// wantedScope finds what a registry wants a token to be good for.
var wantedScope = regexp.MustCompile(`(?i)^bearer .*\bscope="([^"]{1,500})"`)

// RoundTrip sends a request with the credentials that its registry wants. A
// token that the registry no longer takes is renewed once. Requests that lead
// elsewhere carry nothing of it.
func (k keyed) RoundTrip(in *http.Request) (*http.Response, error) {
	at := k.login.at
	if !at.endpoint.owns(in.URL) {
		return at.elsewhere.RoundTrip(in)
	}
	header, err := k.login.header(in.Context(), k.scope)
	if err != nil {
		return nil, err
	}
	resp, err := at.send(in, header)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(header, "Bearer ") {
		return resp, err
	}
	_ = resp.Body.Close() // nothing in it is wanted
	scope := ""
	if found := wantedScope.FindStringSubmatch(resp.Header.Get("WWW-Authenticate")); found != nil {
		scope = found[1]
	}
	k.login.reject(header, scope)
	if header, err = k.login.header(in.Context(), k.scope); err != nil {
		return nil, err
	}
	return at.send(in, header)
}
