package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// byAge sorts those of the configuration first, then the oldest.
func byAge(a, b Token) int {
	if a.Configured != b.Configured {
		if a.Configured {
			return -1
		}
		return 1
	}
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
}

// Create makes a token for a caller and gives its plain text. The first one must
// have the scope admin: it closes the door through which everybody on this
// machine comes in, and somebody has to have the key.
func (k *Keyring) Create(ctx context.Context, by Caller, name string, g Grant, expires time.Time) (plain string, t Token, err error) {
	k.creating.Lock()
	defer k.creating.Unlock()
	now := time.Now()
	plain, t, err = NewToken(name, g, now)
	if err != nil {
		return "", Token{}, err
	}
	t.Expires, t.By = expires, by.Name
	if err := t.check(now); err != nil {
		return "", Token{}, err
	}
	if err := k.admits(by, t, now); err != nil {
		return "", Token{}, err
	}
	if err := k.store.InsertToken(ctx, t); err != nil {
		return "", Token{}, fmt.Errorf("write the token %s down: %w", name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := t
	k.stored[t.Hash] = &kept
	return plain, t, nil
}

// admits refuses a token that must not be beside those that there are.
func (k *Keyring) admits(by Caller, t Token, now time.Time) error {
	open := k.Open()
	switch {
	case by.Anonymous && !open:
		return problem.New(problem.Unauthenticated, "another token was made meanwhile", "use that one")
	case open && !slices.Contains(t.Scopes, Admin):
		return refused("the first token needs the scope admin: from now on nobody gets in without one", "make one with --scope admin first")
	case open && !t.Expires.IsZero() && t.Expires.Before(now.Add(shortest)):
		return refused("the first token expires before it can be of use", "let it expire later, or never")
	}
	if k.taken(t.Name) {
		return refused(fmt.Sprintf("there is a caller %s already", t.Name), "choose another name, or revoke that token first")
	}
	return nil
}

// taken tells whether a caller has a name: what was done in it must be told
// apart. That of a token which was revoked is free again.
func (k *Keyring) taken(name string) bool {
	for _, other := range k.Tokens() {
		if other.Name == name && other.Revoked.IsZero() {
			return true
		}
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, certificate := k.certificates[name]
	return certificate
}

// shortest is how long the first token lives at least.
const shortest = time.Minute

// Revoke takes a token back, by its id or its name. The last one of the scope
// admin stays: without it nobody could make another.
func (k *Keyring) Revoke(ctx context.Context, idOrName string) (Token, error) {
	k.creating.Lock()
	defer k.creating.Unlock()
	now := time.Now()
	t, err := k.find(idOrName)
	switch {
	case err != nil:
		return Token{}, err
	case !t.Revoked.IsZero():
		return t, nil
	case t.Configured:
		return Token{}, refused(fmt.Sprintf("the token %s is of the configuration", t.Name), "take it out of auth.tokens there")
	case k.lastAdmin(t, now):
		return Token{}, refused(fmt.Sprintf("the token %s is the last one of the scope admin", t.Name), "make another one first: prewarm token create NAME --scope admin")
	}
	if err := k.store.RevokeToken(ctx, t.ID, now); err != nil {
		return Token{}, fmt.Errorf("revoke the token %s: %w", t.Name, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := k.stored[t.Hash]
	kept.Revoked = now
	return *kept, nil
}

// find gives the token of an id or of a name: of several of a name, which were
// revoked but for one, that one, else the newest.
func (k *Keyring) find(idOrName string) (Token, error) {
	var revoked *Token
	for _, t := range k.Tokens() {
		switch {
		case t.ID == idOrName && t.ID != "", t.Name == idOrName && t.Revoked.IsZero():
			return t, nil
		case t.Name == idOrName:
			revoked = &t
		}
	}
	if revoked != nil {
		return *revoked, nil
	}
	return Token{}, problem.New(problem.TokenNotFound, fmt.Sprintf("no token has the name or the id %q", idOrName), "prewarm token list shows them")
}

// lastAdmin tells whether nobody would have the scope admin without a token.
func (k *Keyring) lastAdmin(t Token, now time.Time) bool {
	if !t.Live(now) || !slices.Contains(t.Scopes, Admin) {
		return false
	}
	for _, other := range k.Tokens() {
		if other.ID != t.ID && other.Live(now) && slices.Contains(other.Scopes, Admin) {
			return false
		}
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, c := range k.certificates {
		if slices.Contains(c.Scopes, Admin) {
			return false
		}
	}
	return true
}
