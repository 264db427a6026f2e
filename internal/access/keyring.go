package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Store keeps the tokens that were made here. What it was given is on disk when
// it returns.
type Store interface {
	// Tokens gives all, revoked ones included, the oldest first.
	Tokens(ctx context.Context) ([]Token, error)
	InsertToken(ctx context.Context, t Token) error
	RevokeToken(ctx context.Context, id string, at time.Time) error
	// UsedTokens writes down when tokens were used last, by their ids.
	UsedTokens(ctx context.Context, at map[string]time.Time) error
}

// Setup is what the configuration says. A reload may change it.
type Setup struct {
	Tokens []Token
	// Certificates are the holders of client certificates, by common name.
	Certificates []Caller
}

// Keyring knows who may come in. Its methods may be called from any goroutine.
type Keyring struct {
	store    Store
	creating sync.Mutex // held while a token is made or revoked

	mu           sync.RWMutex
	stored       map[[sha256.Size]byte]*Token
	configured   map[[sha256.Size]byte]*Token
	certificates map[string]Caller
	closed       bool                 // there was a token or a certificate in this life
	used         map[string]time.Time // by id: not written down yet
}

// NewKeyring makes a Keyring that knows the tokens of a store and of the
// configuration.
func NewKeyring(ctx context.Context, store Store, s Setup) (*Keyring, error) {
	stored, err := store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	k := &Keyring{store: store, stored: make(map[[sha256.Size]byte]*Token), used: make(map[string]time.Time)}
	for _, t := range stored {
		k.stored[t.Hash] = &t
	}
	k.Reconfigure(s)
	return k, nil
}

// Reconfigure exchanges what the configuration brings.
func (k *Keyring) Reconfigure(s Setup) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.configured
	k.configured = make(map[[sha256.Size]byte]*Token, len(s.Tokens))
	for _, t := range s.Tokens {
		t.Configured = true
		t.Namespace = orDefault(t.Namespace)
		if old := before[t.Hash]; old != nil {
			t.Used = old.Used
		}
		k.configured[t.Hash] = &t
	}
	k.certificates = make(map[string]Caller, len(s.Certificates))
	for _, c := range s.Certificates {
		c.Namespace = orDefault(c.Namespace)
		k.certificates[c.Name] = c
	}
	k.closed = k.closed || !k.empty()
}

func orDefault(namespace string) string {
	if namespace == "" {
		return DefaultNamespace
	}
	return namespace
}

// ByToken tells whose token that is, or problem.Unauthenticated. The use is
// noted, to the minute.
func (k *Keyring) ByToken(plain string, now time.Time) (Caller, error) {
	hash := HashOf(plain) // what is compared is no secret, so that the time it takes tells nothing
	k.mu.RLock()
	var found Token
	t := k.token(hash)
	if t != nil {
		found = *t
	}
	k.mu.RUnlock()
	switch {
	case t == nil:
		return Caller{}, problem.New(problem.Unauthenticated, "the request's token is not known here", mendToken)
	case !found.Revoked.IsZero():
		return Caller{}, problem.New(problem.Unauthenticated, fmt.Sprintf("the token %s was revoked", found.Name), mendToken)
	case !found.Live(now):
		return Caller{}, problem.New(problem.Unauthenticated, fmt.Sprintf("the token %s expired at %s", found.Name, found.Expires.UTC().Format(time.RFC3339)), mendToken)
	}
	if minute := now.Truncate(time.Minute); minute.After(found.Used) {
		k.note(hash, minute)
	}
	return Caller{Name: found.Name, Grant: found.Grant}, nil
}

// mendToken is what to do about a token that opens nothing.
const mendToken = "prewarm token list tells an admin which tokens there are, and prewarm token create makes one"

// token gives what has a hash, or nil. The caller holds mu.
func (k *Keyring) token(hash [sha256.Size]byte) *Token {
	if t := k.configured[hash]; t != nil {
		return t
	}
	return k.stored[hash]
}

func (k *Keyring) note(hash [sha256.Size]byte, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.token(hash); t != nil {
		t.Used = at
		if !t.Configured {
			k.used[t.ID] = at
		}
	}
}

// ByCertificate tells who the holder of a client certificate is, or
// problem.Unauthenticated. That it is a certificate of the right authority was
// seen before.
func (k *Keyring) ByCertificate(commonName string) (Caller, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.certificates[commonName]
	if !ok {
		return Caller{}, problem.New(problem.Unauthenticated, fmt.Sprintf("the certificate of the connection is that of %q, who is nobody here", commonName),
			"add the common name to auth.certificates of the configuration")
	}
	return c, nil
}

// Open tells whether there is neither a token nor a certificate, and was none in
// this life: then everybody on this machine may do everything. One that expired or
// was revoked keeps the door closed, as does one that a reload took away: neither
// time passing nor a slip in the configuration must open it.
func (k *Keyring) Open() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return !k.closed && k.empty()
}

// Empty tells whether there is neither a token nor a certificate, were it one that
// opens nothing any more.
func (k *Keyring) Empty() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.empty()
}

// empty is Empty, of who holds mu.
func (k *Keyring) empty() bool {
	return len(k.stored) == 0 && len(k.configured) == 0 && len(k.certificates) == 0
}

// Anonymous is everybody on this machine, where Open tells so.
func Anonymous() Caller {
	return Caller{Anonymous: true, Grant: Grant{Scopes: []Scope{Admin}, Namespace: DefaultNamespace}}
}

// Tokens lists what there is, the oldest first, those of the configuration
// before.
func (k *Keyring) Tokens() []Token {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []Token
	for _, tokens := range []map[[sha256.Size]byte]*Token{k.configured, k.stored} {
		for _, t := range tokens {
			all = append(all, *t)
		}
	}
	slices.SortFunc(all, byAge)
	return all
}

// Flush writes down when tokens were used.
func (k *Keyring) Flush(ctx context.Context) error {
	k.mu.Lock()
	used := k.used
	k.used = make(map[string]time.Time)
	k.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := k.store.UsedTokens(ctx, used)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		for id, at := range used {
			if at.After(k.used[id]) {
				k.used[id] = at
			}
		}
	}
	return err
}
