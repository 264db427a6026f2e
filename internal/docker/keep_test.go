package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// store lets an engine hold an image once it was pulled, and its tag once it
// was set.
type store struct {
	pulled, tagged atomic.Bool
	architecture   string
}

func (e *engine) store() *store {
	s := &store{architecture: "amd64"}
	e.on("GET /images/", func(w http.ResponseWriter, r *http.Request) {
		if !s.pulled.Load() {
			fault(http.StatusNotFound, "no such image")(w, r)
			return
		}
		tags := "[]"
		if s.tagged.Load() {
			tags = fmt.Sprintf(`["reg.test/etl/jobs:prewarm-%s"]`, digestA[len("sha256:"):])
		}
		reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"RepoTags":%s,"RepoDigests":["reg.test/etl/jobs@%s"],"Os":"linux","Architecture":%q,"Size":7}`,
			config1, tags, digestA, s.architecture))(w, r)
	})
	e.on("POST /images/", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query(); got.Get("repo") != "reg.test/etl/jobs" || got.Get("tag") != "prewarm-"+digestA[len("sha256:"):] {
			e.t.Errorf("tagged %v", got)
		}
		s.tagged.Store(true)
		w.WriteHeader(http.StatusCreated)
	})
	return s
}

// pulls answers a pull with these messages; the image is there afterwards.
func (e *engine) pulls(s *store, messages string) {
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query(); got.Get("fromImage") != "reg.test/etl/jobs" || got.Get("tag") != digestA {
			e.t.Errorf("pulled %v, want the digest", got)
		}
		s.pulled.Store(true)
		_, _ = io.WriteString(w, messages)
	})
}

func TestKeepPullsTagsAndVerifies(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := e.store()
	e.pulls(s, classicPull)
	h := e.host()
	got, err := h.Keep(t.Context(), pinA(t), nil)
	want := warmer.Copy{ID: config1, Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, Bytes: 7, Kept: true}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("Keep: %v (-want +got):\n%s", err, diff)
	}
	s.tagged.Store(false) // someone untagged it
	if got, err = h.Keep(t.Context(), pinA(t), nil); err != nil || !got.Kept || e.count("POST /images/create") != 1 {
		t.Errorf("Keep of an untagged image = %+v, %v, %d pulls; want it adopted", got, err, e.count("POST /images/create"))
	}
}

func TestKeepBelievesNoPull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		pull   http.HandlerFunc
		pulled bool
		arch   string
		want   problem.Code
	}{
		{"error in a stream of 200", reply(http.StatusOK, `{"status":"x"}`+"\n"+`{"errorDetail":{"message":"no space left on device"}}`), true, "amd64", problem.NoSpace},
		{"a clean stream and no image", reply(http.StatusOK, classicPull), false, "amd64", problem.ImageLost},
		{"a clean stream of another platform", reply(http.StatusOK, classicPull), true, "s390x", problem.PlatformMissing},
		{"404", fault(http.StatusNotFound, "manifest unknown"), false, "amd64", problem.TagNotFound},
		{"500 that means 401", fault(http.StatusInternalServerError, "unauthorized: authentication required"), false, "amd64", problem.RegistryAuth},
		{"no answer", hangUp, false, "amd64", problem.HostUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			s := e.store()
			s.architecture = c.arch
			e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
				s.pulled.Store(c.pulled)
				c.pull(w, r)
			})
			_, err := e.host().Keep(t.Context(), pinA(t), nil)
			wantCode(t, "Keep", err, c.want)
			if e.count("POST /images/reg.test") != 0 {
				t.Error("it was tagged")
			}
		})
	}
}

// breakOff says that a pull goes well, and breaks the connection.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"status":"Pulling fs layer","id":"l1"}`+"\n")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestKeepOfAnEngineThatDies(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	e.on("POST /images/create", breakOff)
	_, err := e.host().Keep(t.Context(), pinA(t), nil)
	wantCode(t, "Keep", err, problem.HostUnreachable)
}

func TestKeepGivesUpOnSilence(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	const messages = 6
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		for n := range messages {
			_, _ = fmt.Fprintf(w, `{"status":"Extracting","progressDetail":{"current":%d,"units":"s"},"id":"l1"}`+"\n", n)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(200 * time.Millisecond)
		}
		<-r.Context().Done()
	})
	n := 0
	h := e.host(func(o *Options) { o.Stall = time.Second })
	_, err := h.Keep(t.Context(), pinA(t), func(warmer.Progress) { n++ })
	wantCode(t, "Keep", err, problem.PullStalled)
	if n != messages {
		t.Errorf("given up after %d messages, want %d: a message that says little is no silence", n, messages)
	}
}

// TestKeepGivesUpOnADownloadThatStandsStill: the containerd store goes on to tell
// of a layer that gets no more bytes, ten times a second.
func TestKeepGivesUpOnADownloadThatStandsStill(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, `{"status":"Download complete","id":"l1"}`+"\n"+
				`{"status":"Downloading","progressDetail":{"current":1048576,"total":3000000},"id":"l2"}`+"\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	h := e.host(func(o *Options) { o.Stall = 300 * time.Millisecond })
	_, err := h.Keep(t.Context(), pinA(t), nil)
	wantCode(t, "Keep", err, problem.PullStalled)
}

// TestKeepWaitsForItsTurn: an engine downloads a few layers at a time, for all its
// pulls. One that waits says nothing, and is no stalled one while another moves.
func TestKeepWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	first := make(chan struct{})
	say := func(w http.ResponseWriter, format string, values ...any) {
		_, _ = fmt.Fprintf(w, format+"\n", values...)
		_ = http.NewResponseController(w).Flush()
	}
	var pulls atomic.Int32
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		if pulls.Add(1) == 1 { // it has all the turns
			close(first)
			for n := range 40 {
				say(w, `{"status":"Downloading","progressDetail":{"current":%d,"total":3000000},"id":"l1"}`, n)
				time.Sleep(50 * time.Millisecond)
			}
			say(w, `{"status":"Downloading","progressDetail":{"current":40,"total":3000000},"id":"l1"}`)
			<-r.Context().Done() // and then stands still
			return
		}
		say(w, `{"status":"Download complete","id":"l1"}`)
		say(w, `{"status":"Waiting","id":"l2"}`)
		<-r.Context().Done()
	})
	h := e.host(func(o *Options) { o.Stall = 500 * time.Millisecond })
	begun := time.Now()
	var both sync.WaitGroup
	both.Go(func() {
		_, err := h.Keep(t.Context(), pinA(t), nil)
		wantCode(t, "Keep of what stands still", err, problem.PullStalled)
	})
	<-first
	both.Go(func() {
		_, err := h.Keep(t.Context(), mustPin(t, "reg.test/etl/other@"+digestA), nil)
		wantCode(t, "Keep of what waits", err, problem.PullStalled)
		if took := time.Since(begun); took < 2*time.Second {
			t.Errorf("it was given up after %s, while another pull moved for two seconds", took)
		}
	})
	both.Wait()
}

// TestKeepGivesUpOnAnEngineThatNeverAnswers: not even the first byte came.
func TestKeepGivesUpOnAnEngineThatNeverAnswers(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	e.on("POST /images/create", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client left
		<-r.Context().Done()
	})
	h := e.host(func(o *Options) { o.Stall = 50 * time.Millisecond })
	_, err := h.Keep(t.Context(), pinA(t), nil)
	wantCode(t, "Keep", err, problem.PullStalled)
}

func TestCancelledKeepEndsTheRequest(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.store()
	ended := make(chan struct{})
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"Pulling fs layer","id":"l1"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	within(t, 5*time.Second, func() {
		if _, err := e.host().Keep(ctx, pinA(t), func(warmer.Progress) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("Keep = %v, want the context's error", err)
		}
		<-ended
	})
}

func TestKeepShowsCredentials(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := e.store()
	var shown atomic.Value
	e.on("POST /images/create", func(_ http.ResponseWriter, r *http.Request) {
		shown.Store(r.Header.Get("X-Registry-Auth"))
		s.pulled.Store(true)
	})
	h := e.host(func(o *Options) {
		o.Credentials = func(context.Context, registry.Repository) (registry.Credentials, error) {
			return registry.Credentials{Username: "ci", Password: "a?b>c~", Server: "reg.test"}, nil
		}
	})
	if _, err := h.Keep(t.Context(), pinA(t), nil); err != nil {
		t.Fatal(err)
	}
	// Base64url: an engine reads standard base64 as no credentials at all.
	raw, err := base64.URLEncoding.DecodeString(shown.Load().(string))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"username": "ci", "password": "a?b>c~", "serveraddress": "reg.test"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}

func TestKeepWithoutCredentials(t *testing.T) {
	t.Parallel()
	broken := errors.New("the helper is broken")
	e := newEngine(t)
	s := e.store()
	e.on("POST /images/create", func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Registry-Auth"); got != "" {
			t.Errorf("anonymous pull shows %q", got)
		}
		s.pulled.Store(true)
	})
	var err error
	h := e.host(func(o *Options) {
		o.Credentials = func(context.Context, registry.Repository) (registry.Credentials, error) {
			return registry.Credentials{}, err
		}
	})
	err = broken
	if _, err := h.Keep(t.Context(), pinA(t), nil); !errors.Is(err, broken) {
		t.Errorf("Keep = %v, want the error of the credentials", err)
	}
	err = nil
	if _, err := h.Keep(t.Context(), pinA(t), nil); err != nil {
		t.Errorf("Keep: %v", err)
	}
}
