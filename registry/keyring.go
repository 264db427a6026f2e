package registry

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// keyring asks the Docker config file, which may start a program, for the login
// of one registry: one call for all who want it, while the others wait for its
// answer. A program that hangs costs the callers of its registry the time limit,
// once, and one goroutine; other registries don't notice.
//
// It asks by the registry's name, as docker login does: an entry of the file for
// a single repository is not read.
type keyring struct {
	keychain authn.Keychain
	registry authn.Resource

	mu   sync.Mutex
	last *key      // nil: none yet
	now  *question // nil: nobody asks
}

// key is what a keyring last said, or an Access.
type key struct {
	auth authn.AuthConfig
	at   time.Time
}

// question is under way until done; when late, nobody waits for it any more.
type question struct {
	done, late <-chan struct{}
	answer     *key
	err        error
}

func newKeyring(k authn.Keychain, registry authn.Resource) *keyring {
	if k == authn.DefaultKeychain {
		// The library's holds a lock while a program runs. One for each registry
		// is what keeps them apart; its zero value is ready for use.
		k, _ = reflect.New(reflect.TypeOf(k).Elem()).Interface().(authn.Keychain)
	}
	return &keyring{keychain: k, registry: registry}
}

// wish is which answer will do.
type wish struct {
	youngerThan time.Duration // 0: only one that is asked for now
	not         *key          // the registry refused it; nil: none
	now         func() time.Time
	limit       time.Duration // of the program, from its start
}

func (k *keyring) ask(ctx context.Context, w wish) (*key, error) {
	known, q := k.begin(ctx, w)
	if known != nil {
		return known, nil
	}
	select {
	case <-q.done:
		return q.answer, q.err
	case <-q.late:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-q.done: // just in time
		return q.answer, q.err
	default:
		return nil, fmt.Errorf("wait for a credential helper: %w", context.DeadlineExceeded)
	}
}

// begin gives an answer that will do, or the question that is under way.
func (k *keyring) begin(ctx context.Context, w wish) (*key, *question) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last != nil && k.last != w.not && w.now().Sub(k.last.at) < w.youngerThan {
		return k.last, nil
	}
	if k.now == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.limit) // others wait for it too
		done := make(chan struct{})
		q := &question{done: done, late: ctx.Done()}
		k.now = q
		go func() {
			defer cancel()
			auth, err := k.read(ctx)
			k.mu.Lock()
			defer k.mu.Unlock()
			k.now, q.err = nil, err
			if err == nil {
				q.answer = &key{auth: auth, at: w.now()}
				k.last = q.answer
			}
			close(done)
		}()
	}
	return nil, k.now
}

func (k *keyring) read(ctx context.Context) (authn.AuthConfig, error) {
	auth, err := authn.Resolve(ctx, k.keychain, k.registry)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	return *config, nil
}

// lookup finds the credentials for a registry, or none.
func (c *Client) lookup(ctx context.Context, access Access, registry authn.Resource, w wish) (*key, error) {
	w.now = c.now
	if access.Username != "" {
		return &key{auth: authn.AuthConfig{Username: access.Username, Password: access.Password}, at: w.now()}, nil
	}
	host := canonicalHost(registry.RegistryStr())
	found, err := c.keyring(registry).ask(ctx, w)
	switch {
	case err == nil:
		return found, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("read credentials for %s: %w", host, ctx.Err())
	}
	return nil, problem.Wrap(problem.RegistryAuth, err,
		fmt.Sprintf("read credentials for %s from the Docker config file", host),
		fmt.Sprintf("mend the Docker config file or its credential helper, or give a username and a password to the registries entry %s", host))
}

// keyring gives the one keyring of a registry.
func (c *Client) keyring(registry authn.Resource) *keyring {
	c.mu.Lock()
	defer c.mu.Unlock()
	host := registry.RegistryStr()
	if c.keyrings[host] == nil {
		c.keyrings[host] = newKeyring(c.keychain, registry)
	}
	return c.keyrings[host]
}
