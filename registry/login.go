package registry

import (
	"context"
	"encoding/base64"
	"errors"
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

// errDissolved tells a repository to go alone: its group has been refused.
var errDissolved = errors.New("the registry refused a token for several repositories")

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
	fresh, err := l.exchange(ctx, challenge)
	if have = l.current(); err != nil && have.serves(scope, l.at.endpoint.now()) {
		return have.value, nil // it could not be renewed yet
	}
	return fresh, err // good for this request, however short it lives
}

// exchange gets a token for everybody who shares the login.
func (l *login) exchange(ctx context.Context, challenge *transport.Challenge) (string, error) {
	if l.isDissolved() {
		return "", errDissolved // whoever asked before us found out
	}
	if err := l.at.mayShow(l.auth); err != nil {
		return "", err
	}
	auth := authn.Anonymous
	if l.auth != (authn.AuthConfig{}) {
		auth = authn.FromConfig(l.auth)
	}
	scopes, group := l.wanted()
	got, err := transport.Exchange(ctx, l.at.target, auth, l.at.wire, scopes, challenge)
	if err = l.judge(ctx, err, l.plainToken(challenge)); err != nil {
		dissolve := group && trailOf(ctx).groupRefused(err)
		if dissolve && !isDenied(err) {
			l.at.misfit()
		}
		l.failed(dissolve)
		return "", err
	}
	l.at.accept(l.auth)
	l.mu.Lock()
	defer l.mu.Unlock()
	value := got.AccessToken // some registries set this, some both
	if value == "" {
		value = got.Token
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	if life <= 0 {
		life = unspokenLife
	}
	l.grouped = group
	sent := trailOf(ctx).at // and not when its turn was waited for
	l.token = token{value: value, scopes: scopes, renew: sent.Add(life * 4 / 5), expires: sent.Add(life)}
	return value, nil
}

func (l *login) failed(dissolve bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token.renew = l.at.endpoint.now().Add(renewAgain)
	l.dissolved = l.dissolved || dissolve
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

var basicWanted = regexp.MustCompile(`(?i)^basic\b`)

// RoundTrip sends a request with the credentials that its registry wants. Its
// turn is waited for before the credentials are made: a token may not live as
// long as the line is. A token that the registry no longer takes is renewed
// once. Requests that lead elsewhere carry nothing of it.
func (k keyed) RoundTrip(in *http.Request) (*http.Response, error) {
	at := k.login.at
	if !at.endpoint.owns(in.URL) {
		return at.elsewhere.RoundTrip(in)
	}
	if err := at.endpoint.await(in.Context(), trailOf(in.Context()), questionOf(in)); err != nil {
		return nil, err
	}
	header, err := k.login.header(in.Context(), k.scope)
	if err == nil && strings.HasPrefix(header, "Basic ") {
		err = at.mayShow(k.login.auth)
	}
	if err != nil {
		return nil, err
	}
	trailOf(in.Context()).paid = true
	resp, err := at.send(in, header)
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(header, "Basic "):
		return k.judge(in.Context(), header, resp)
	case resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(header, "Bearer "):
		return resp, nil
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

// judge gives the answer to a request with a password, or tells that the
// password was refused as such.
func (k keyed) judge(ctx context.Context, header string, resp *http.Response) (*http.Response, error) {
	switch {
	case resp.StatusCode != http.StatusUnauthorized:
		k.login.at.accept(k.login.auth)
		return resp, nil
	case !basicWanted.MatchString(resp.Header.Get("WWW-Authenticate")):
		return resp, nil // another kind of login, by now
	}
	err := k.login.judge(ctx, &transport.Error{StatusCode: resp.StatusCode}, k.login.at.root(header))
	if isRefused(err) {
		_ = resp.Body.Close() // nothing in it is wanted
		return nil, err
	}
	return resp, nil
}
