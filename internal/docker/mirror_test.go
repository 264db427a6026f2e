package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

const mirrorHost = "cache.test:5000"

// names is an engine that knows one image under any number of names, and notes
// what is done to them.
type names struct {
	mu    sync.Mutex
	known []string
	did   []string
	pulls map[string]http.HandlerFunc // by registry; nil goes well
}

func (n *names) do(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.did = append(n.did, what)
}

func (n *names) done() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.did)
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = append(n.known, name)
}

// names serves the image calls.
func (e *engine) names(known ...string) *names {
	n := &names{known: known, pulls: map[string]http.HandlerFunc{}}
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		repo := r.URL.Query().Get("fromImage")
		n.do("pull " + repo + " " + credentialsOf(e.t, r))
		host, _, _ := strings.Cut(repo, "/")
		if answer := n.pulls[host]; answer != nil {
			answer(w, r)
			return
		}
		n.add(repo + "@" + r.URL.Query().Get("tag"))
		_, _ = io.WriteString(w, classicPull)
	})
	e.on("GET /images/", func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/images/"), "/json")
		var tags, digests []string
		for _, k := range n.known {
			if strings.Contains(k, "@") {
				digests = append(digests, k)
			} else {
				tags = append(tags, k)
			}
		}
		if !strings.Contains(strings.Join(digests, " "), name) {
			fault(http.StatusNotFound, "no such image")(w, r)
			return
		}
		reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"RepoTags":["%s"],"RepoDigests":["%s"],"Os":"linux","Architecture":"amd64","Size":7}`,
			config1, strings.Join(tags, `","`), strings.Join(digests, `","`)))(w, r)
	})
	e.on("POST /images/", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("repo") + ":" + r.URL.Query().Get("tag")
		n.do("tag " + name)
		n.add(name)
		w.WriteHeader(http.StatusCreated)
	})
	e.on("DELETE /images/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("force") != "" {
			e.t.Error("removed by force")
		}
		n.do("remove " + strings.TrimPrefix(r.URL.Path, "/images/"))
		_, _ = io.WriteString(w, "[]")
	})
	return n
}

func credentialsOf(t *testing.T, r *http.Request) string {
	shown := r.Header.Get("X-Registry-Auth")
	if shown == "" {
		return "-"
	}
	raw, err := base64.URLEncoding.DecodeString(shown)
	if err != nil {
		t.Error(err)
	}
	_, user, _ := strings.Cut(string(raw), `"username":"`)
	user, _, _ = strings.Cut(user, `"`)
	return user
}

func withMirror(t *testing.T) func(*Options) {
	t.Helper()
	repo, err := registry.ParseRepository(mirrorHost + "/etl/jobs")
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.Mirror = func(of registry.Repository) (registry.Repository, bool) { return repo, of.Host() == "reg.test" }
		o.Credentials = func(_ context.Context, of registry.Repository) (registry.Credentials, error) {
			return registry.Credentials{Username: "for-" + of.Host(), Password: "x", Server: of.Host()}, nil
		}
	}
}

func TestMirrorSteps(t *testing.T) {
	t.Parallel()
	hex := digestA[len("sha256:"):]
	const mirror, origin = mirrorHost + "/etl/jobs", "reg.test/etl/jobs"
	pullMirror, pullOrigin := "pull "+mirror+" for-"+mirrorHost, "pull "+origin+" for-reg.test"
	mark, keep, drop := "tag "+mirror+":prewarm-mirror-"+hex, "tag "+origin+":prewarm-"+hex, "remove "+mirror+":prewarm-mirror-"+hex
	down := fault(http.StatusInternalServerError, "connect: connection refused")
	for _, c := range []struct {
		name   string
		known  []string
		mirror http.HandlerFunc
		code   problem.Code
		warned int
		want   []string
	}{
		{"it serves", nil, nil, "", 0, []string{pullMirror, mark, pullOrigin, drop, keep}},
		{"it is down", nil, down, "", 1, []string{pullMirror, pullOrigin, drop, keep}},
		{"it lacks the digest", nil, fault(http.StatusNotFound, "manifest unknown"), "", 1, []string{pullMirror, pullOrigin, drop, keep}},
		{"it refuses us", nil, fault(http.StatusInternalServerError, "unauthorized"), "", 1, []string{pullMirror, pullOrigin, drop, keep}},
		{"its name is there", []string{mirror + "@" + digestA}, nil, "", 0, []string{pullOrigin, drop, keep}},
		{"all is there but the keep-tag", []string{origin + "@" + digestA}, nil, "", 0, []string{drop, keep}},
		{"all is there", []string{origin + "@" + digestA, origin + ":prewarm-" + hex}, nil, "", 0, nil},
		{"the host is full", nil, fault(http.StatusInternalServerError, "no space left on device"), problem.NoSpace, 0, []string{pullMirror}},
		{"the engine goes away", nil, hangUp, problem.HostUnreachable, 0, []string{pullMirror}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			n := e.names(c.known...)
			n.pulls[mirrorHost] = c.mirror
			var log bytes.Buffer
			h := e.host(withMirror(t), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			_, err := h.Keep(t.Context(), pinA(t), nil)
			wantCode(t, "Keep", err, c.code)
			if diff := cmp.Diff(c.want, n.done()); diff != "" {
				t.Errorf("the engine did (-want +got):\n%s", diff)
			}
			if got := strings.Count(log.String(), "level=WARN"); got != c.warned {
				t.Errorf("%d warnings, want %d:\n%s", got, c.warned, log.String())
			}
		})
	}
}

// TestMirrorThatStalls is given up like any pull, and the origin asked.
func TestMirrorThatStalls(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	n := e.names()
	n.pulls[mirrorHost] = func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client left
		<-r.Context().Done()
	}
	h := e.host(withMirror(t), func(o *Options) { o.Stall = 50 * time.Millisecond })
	if c, err := h.Keep(t.Context(), pinA(t), nil); err != nil || !c.Kept {
		t.Errorf("Keep = %+v, %v; want it kept", c, err)
	}
}

func TestCancelledMirrorAsksNoOrigin(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	n := e.names()
	ctx, cancel := context.WithCancel(t.Context())
	n.pulls[mirrorHost] = func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	if _, err := e.host(withMirror(t)).Keep(ctx, pinA(t), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Keep = %v, want the context's error", err)
	}
	if did := n.done(); len(did) != 1 {
		t.Errorf("the engine did %q, want the mirror's pull alone", did)
	}
}
