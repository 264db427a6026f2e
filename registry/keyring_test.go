package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// A slow helper is run once for all repositories of its registry, however many
// ask at once.
func TestHelperIsAskedOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		c := f.bareClient(t, Access{})
		ran := 0
		c.keychain = keychain(func() (authn.AuthConfig, error) {
			time.Sleep(4 * time.Second)
			ran++
			return authn.AuthConfig{Username: testUser, Password: testPassword}, nil
		})
		for round := range 3 {
			if failed := allAtOnce(t, c, f.refs(t, 200, 1)); len(failed) > 0 {
				t.Errorf("%d calls failed: %v", len(failed), failed[0])
			}
			if ran != round+1 {
				t.Errorf("the helper was run %d times in %d rounds", ran, round+1)
			}
			time.Sleep(sessionAge)
		}
	})
}

// All who are refused after a login changed take the new one from one run.
func TestHelperIsAskedOnceAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := bareTokenFake()
		c := f.bareClient(t, Access{})
		ran, password := 0, testPassword
		c.keychain = keychain(func() (authn.AuthConfig, error) {
			ran++
			return authn.AuthConfig{Username: testUser, Password: password}, nil
		})
		refs := f.refs(t, 200, 1)
		allAtOnce(t, c, refs)
		time.Sleep(10 * time.Minute)
		f.password, password = "the next", "the next"
		if failed := allAtOnce(t, c, refs); len(failed) > 0 {
			t.Errorf("%d calls failed: %v", len(failed), failed[0])
		}
		if ran != 2 {
			t.Errorf("the helper was run %d times, want 2", ran)
		}
	})
}

// One helper hangs, another answers. Not parallel: it changes the environment.
func TestHangingHelperOfAnotherRegistry(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	release := filepath.Join(dir, "release")
	script := fmt.Sprintf(`#!/bin/sh
read host
case $host in hang*) while [ ! -e %q ]; do sleep 0.05; done ;; esac
echo '{"ServerURL":"x","Username":"from","Secret":"helper"}'
`, release)
	must(0, os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(script), 0o700))(t)
	config := `{"credHelpers":{"hang.example.com":"test","good.example.com":"test"}}`
	must(0, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600))(t)
	t.Cleanup(func() { _ = os.WriteFile(release, nil, 0o600) }) // however the test ends
	c := New(Options{Timeout: 5 * time.Second})
	defer c.Close()

	hangs := make(chan error, 1)
	go func() {
		_, err := c.Credentials(t.Context(), must(ParseRepository("hang.example.com/a"))(t))
		hangs <- err
	}()
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		asks := c.keyrings["hang.example.com"] != nil
		c.mu.Unlock()
		if asks {
			break
		}
	}
	got := must(c.Credentials(t.Context(), must(ParseRepository("good.example.com/a"))(t)))(t)
	if got.Username != "from" || got.Password != "helper" {
		t.Errorf("the other registry's helper gave %v", got)
	}
	check(t, <-hangs, problem.RegistryAuth, "read credentials for hang.example.com", "deadline exceeded")
	begin := time.Now()
	_, err := c.Credentials(t.Context(), must(ParseRepository("hang.example.com/b"))(t))
	check(t, err, problem.RegistryAuth, "hang.example.com")
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the next caller waited %s for what is known to hang", took)
	}
	must(0, os.WriteFile(release, nil, 0o600))(t)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := c.Credentials(t.Context(), must(ParseRepository("hang.example.com/a"))(t))
		if err == nil && strings.HasPrefix(got.Username, "from") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after it went on: %v, %v", got, err)
		}
	}
}
