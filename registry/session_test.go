package registry

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/prewarm/prewarm/internal/problem"
)

// keychain stands for the Docker config file.
type keychain func() (authn.AuthConfig, error)

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	cfg, err := k()
	if cfg == (authn.AuthConfig{}) {
		return authn.Anonymous, err
	}
	return authn.FromConfig(cfg), err
}

func TestSessionReadsCredentialsAnewAfterARefusal(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "basic"
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	var have authn.AuthConfig
	c.keychain = keychain(func() (authn.AuthConfig, error) { return have, nil })
	ref := mustRef(t, f.host()+"/etl/node:latest")

	_, err := c.Resolve(t.Context(), ref)
	if got := problem.CodeOf(err); got != problem.RegistryAuth {
		t.Fatalf("without a login: code %q (%v)", got, err)
	}
	have = authn.AuthConfig{Username: testUser, Password: testPassword} // docker login
	if _, err := c.Resolve(t.Context(), ref); err != nil {
		t.Errorf("after docker login: %v", err)
	}
}

func TestSessionReadsCredentialsAnewInTime(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.login = "basic"
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	now, asked := time.Now(), 0
	c.now = func() time.Time { return now }
	c.keychain = keychain(func() (authn.AuthConfig, error) {
		asked++
		return authn.AuthConfig{Username: testUser, Password: testPassword}, nil
	})
	ref := mustRef(t, f.host()+"/etl/node:latest")
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {44 * time.Minute, 1}, {time.Minute, 2}, {time.Second, 2}} {
		now = now.Add(step.after)
		must(c.Resolve(t.Context(), ref))(t)
		if asked != step.want {
			t.Errorf("%s later: credentials read %d times, want %d", step.after, asked, step.want)
		}
	}
}

func TestBrokenKeychainIsAProblem(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	c.keychain = keychain(func() (authn.AuthConfig, error) {
		return authn.AuthConfig{}, errors.New("docker-credential-x not found")
	})
	_, err := c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest"))
	if problem.CodeOf(err) != problem.RegistryAuth || !strings.Contains(err.Error(), "docker-credential-x not found") {
		t.Errorf("Resolve = %v, want the helper's failure", err)
	}
}

// A credential helper that hangs holds up its callers for the time limit, and
// at most one goroutine for longer.
func TestHangingCredentialHelper(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	c.options.Timeout = 20 * time.Millisecond
	started, release := make(chan struct{}, 10), make(chan struct{})
	c.keychain = keychain(func() (authn.AuthConfig, error) {
		started <- struct{}{}
		<-release
		return authn.AuthConfig{}, nil
	})
	defer close(release)
	ref := mustRef(t, f.host()+"/etl/node:latest")
	for range 3 {
		_, err := c.Resolve(t.Context(), ref)
		if problem.CodeOf(err) != problem.RegistryAuth || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Resolve = %v, want the helper's timeout", err)
		}
	}
	if len(started) != 1 {
		t.Errorf("%d helpers were started, want 1", len(started))
	}
}

// Credentials go to the registry and to the token server that it names, and
// nowhere else.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"basic", "bearer"} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			other := plainFake(t)
			f := plainFake(t)
			f.login = login
			img := testImage(t, "linux/amd64", 1)
			f.push(t, "etl/node", "latest", img)
			other.push(t, "etl/node", "latest", img)
			f.fault = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
			}
			c := testClient(t, loggedIn(f))
			pin := must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:latest")))(t)
			must(c.Manifest(t.Context(), pin, nil))(t)
			if len(other.auth) != 3 || !slices.Equal(slices.Compact(other.auth), []string{""}) {
				t.Errorf("the other host got %q, want three requests without Authorization", other.auth)
			}
			if i := slices.IndexFunc(f.auth, func(s string) bool { return s != "" }); i < 0 {
				t.Error("the registry itself got no credentials: the test proves nothing")
			}
		})
	}
}
