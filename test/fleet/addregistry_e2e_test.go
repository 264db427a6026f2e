//go:build e2e

package fleet

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func add(t *testing.T, f *Fleet, o RegistryOptions) *Registry {
	t.Helper()
	r, err := f.AddRegistry(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// dockerAs runs Docker's command line after signing in at a registry.
func dockerAs(t *testing.T, h *Host, r *Registry, password string, args ...string) (string, error) {
	t.Helper()
	config := t.TempDir()
	user, _ := r.account()
	if _, err := docker(t, h.Socket, "--config", config, "login", "--username", user, "--password", password, r.Addr); err != nil {
		return "", err
	}
	return docker(t, h.Socket, append([]string{"--config", config}, args...)...)
}

func TestRegistriesWithAccounts(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	h, accounts := f.Hosts[0], map[string]string{"ci": "secret"}
	for _, o := range []RegistryOptions{
		{Name: "basic", Accounts: accounts},
		{Name: "tokens", Accounts: accounts, Tokens: time.Minute},
		{Name: "basictls", Accounts: accounts, TLS: true},
		{Name: "tokenstls", Accounts: accounts, Tokens: time.Minute, TLS: true},
	} {
		r := add(t, f, o)
		pin := push(t, r, "etl/jobs:v1", ProgramImage("v1"))
		if out, err := docker(t, h.Socket, "pull", pin); err == nil {
			t.Errorf("%s: pulled by nobody: %s", o.Name, out)
		}
		if out, err := dockerAs(t, h, r, "wrong", "pull", pin); err == nil {
			t.Errorf("%s: pulled with a wrong password: %s", o.Name, out)
		}
		if _, err := dockerAs(t, h, r, "secret", "pull", pin); err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
		if got := mustDocker(t, h.Socket, "run", "--rm", pin); got != "program v1" {
			t.Errorf("%s: got %q", o.Name, got)
		}
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	r := add(t, f, RegistryOptions{Name: "tokens", Accounts: map[string]string{"ci": "secret"}, Tokens: time.Minute})
	push(t, r, "etl/jobs:v1", ProgramImage("v1"))
	for _, tc := range []struct {
		life    time.Duration
		refused bool // also with a token
	}{{time.Minute, false}, {-time.Second, true}} {
		r.Gate.TokenLife(tc.life)
		r.Gate.Reset()
		err := r.Tag(t.Context(), "etl/jobs:v1", "again")
		if (err != nil) != tc.refused {
			t.Errorf("tokens that live %v: %v", tc.life, err)
		}
		if c := r.Gate.Counts(); c.Token == 0 || c.Refused == 0 || tc.refused && c.Refused < 2 {
			t.Errorf("tokens that live %v: %+v", tc.life, c)
		}
	}
}

func TestARegistryWithTLS(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	r := add(t, f, RegistryOptions{Name: "secure", TLS: true})
	pin := push(t, r, "etl/jobs:v1", ProgramImage("v1"))
	if got := mustDocker(t, f.Hosts[0].Socket, "run", "--rm", pin); got != "program v1" {
		t.Errorf("got %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pingTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if err := ping(ctx, client, "https://"+r.Addr+"/v2/"); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("a client that does not know the authority: %v", err)
	}
	// The engine checks it too: with another authority it is refused.
	if err := f.state.authority().create(); err != nil {
		t.Fatal(err)
	}
	other := add(t, f, RegistryOptions{Name: "foreign", TLS: true})
	foreign := push(t, other, "etl/jobs:v2", ProgramImage("v2"))
	if out, err := docker(t, f.Hosts[0].Socket, "pull", foreign); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("the engine took another authority's word: %s %v", out, err)
	}
}

func TestACachePullsOnce(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 2})
	upstream := add(t, f, RegistryOptions{Name: "upstream", Accounts: map[string]string{"cache": "secret"}, Tokens: time.Minute})
	cache := add(t, f, RegistryOptions{Name: "cache", CacheOf: upstream})
	const layer = 2 << 20
	pin := push(t, upstream, "etl/jobs:v1", Image{Version: "v1", Random: []int64{layer, layer}})
	upstream.Gate.Reset()
	cached := strings.Replace(pin, upstream.Addr, cache.Addr, 1)
	var first int64
	for i, h := range f.Hosts {
		if got := mustDocker(t, h.Socket, "run", "--rm", cached); got != "program v1" {
			t.Errorf("%s: got %q", h.Name, got)
		}
		c := upstream.Gate.Counts()
		if i == 0 {
			first = c.BlobBytes
		}
		if c.BlobBytes < 2*layer || c.BlobBytes != first || c.ManifestGet == 0 {
			t.Errorf("after host %d: %+v", i+1, c)
		}
	}
	if _, err := cache.Push(t.Context(), "etl/jobs:v2", ProgramImage("v2")); err == nil {
		t.Error("a cache took a push")
	}
}

func TestAGateIsSlowOrFails(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	r, h := add(t, f, RegistryOptions{Name: "gated", Gate: true}), f.Hosts[0]
	const size, bytesPerSecond = 2 << 20, 1 << 20
	slow := push(t, r, "etl/slow:v1", Image{Version: "v1", Random: []int64{size}})
	r.Gate.Limit(bytesPerSecond)
	begin := time.Now()
	mustDocker(t, h.Socket, "pull", slow)
	if took := time.Since(begin); took < time.Second*size/bytesPerSecond {
		t.Errorf("%d bytes took %v", size, took)
	}
	r.Gate.Limit(0)
	r.Gate.Fail(http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}})
	refused := push(t, f.Registry, "etl/other:v1", ProgramImage("other")) // the other registry goes on
	if out, err := docker(t, h.Socket, "pull", strings.Replace(refused, f.Registry.Addr, r.Addr, 1)); err == nil {
		t.Errorf("pulled through a gate that fails: %s", out)
	}
	r.Gate.Fail(0, nil)
	mustDocker(t, h.Socket, "pull", push(t, r, "etl/other:v1", ProgramImage("other")))
	if err := f.Down(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, f.state); len(left) > 0 {
		t.Errorf("left after Down: %v", left)
	}
}

func TestASlowHost(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 1})
	h := f.Hosts[0]
	const size, bitsPerSecond = 2 << 20, 8 << 20
	times := map[int]time.Duration{}
	for n, limit := range []int{bitsPerSecond, 0} {
		if err := h.Limit(limit); err != nil {
			t.Fatal(err)
		}
		pin := push(t, f.Registry, "etl/slow:v1", Image{Random: []int64{size}, Seed: uint64(n + 1)})
		begin := time.Now()
		mustDocker(t, h.Socket, "pull", pin)
		times[limit] = time.Since(begin)
	}
	if slow := times[bitsPerSecond]; slow < time.Second*size*8/bitsPerSecond || slow < times[0] {
		t.Errorf("limited: %v, free: %v", slow, times[0])
	}
}

func TestTagsAndManifestsVanish(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Hosts: 2})
	r, engine := f.Registry, f.Hosts[0].Socket
	pin := push(t, r, "etl/jobs:v1", ProgramImage("v1"))
	_, digest, _ := strings.Cut(pin, "@")
	for from, tag := range map[string]string{"etl/jobs:v1": "latest", "etl/jobs@" + digest: "stable"} {
		if err := r.Tag(t.Context(), from, tag); err != nil {
			t.Fatal(err)
		}
		mustDocker(t, engine, "pull", r.Addr+"/etl/jobs:"+tag)
	}
	if err := r.Untag("etl/jobs:latest"); err != nil {
		t.Fatal(err)
	}
	if err := r.Untag("etl/jobs:latest"); err == nil {
		t.Error("a tag vanished twice")
	}
	if out, err := docker(t, engine, "pull", r.Addr+"/etl/jobs:latest"); err == nil {
		t.Errorf("pulled by a tag that is gone: %s", out)
	}
	mustDocker(t, engine, "pull", r.Addr+"/etl/jobs:stable")
	if err := r.Delete(t.Context(), "etl/jobs@"+digest); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{pin, r.Addr + "/etl/jobs:stable"} {
		// The other host: an engine that has a digest does not ask for it.
		if out, err := docker(t, f.Hosts[1].Socket, "pull", ref); err == nil {
			t.Errorf("pulled what is gone: %s", out)
		}
	}
}
