package server_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/selection"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const repository = "registry.test/etl/jobs"

var discard = slog.New(slog.DiscardHandler)

// refuser says no to every digest.
type refuser struct{}

func (refuser) Verify(context.Context, warmer.Verification, warmer.VerifySubject) warmer.Verdict {
	return warmer.Verdict{At: time.Now(), Took: time.Second, ExitCode: 3, Output: "no signature"}
}

// scene is the service behind a real listener, with a real warmer and with runs
// that tests steer: the image jobs on the hosts a and b, which are fakes, and on
// a alone archive, guarded (by an approval), verified (by a program that says no)
// and chosen (by a selection).
type scene struct {
	t      testing.TB
	tags   *tags
	hosts  map[string]*dockertest.Fake
	runs   *runs
	store  *store.Store
	client *api.Client
	url    string
	// stop ends the service in order and gives what Serve returned.
	stop func() error
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{t: t, tags: &tags{}, hosts: make(map[string]*dockertest.Fake), runs: newRuns()}
	var err error
	if s.store, err = store.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	s.start()
	return s
}

func (s *scene) start() {
	s.t.Helper()
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	w := warmer.Options{Registry: s.tags, Store: s.store, Ledger: s.store, Verifier: refuser{}, Logger: discard, ProbeEvery: 50 * time.Millisecond}
	promote := warmer.Promotion{Percent: warmer.All}
	newest, err := selection.New(selection.Options{Include: `^\d+\.\d+\.\d+$`, Newest: 2})
	if err != nil {
		s.t.Fatal(err)
	}
	w.Entries = []warmer.Entry{
		{Image: "jobs", Tag: "latest", Repository: repo, Hosts: []string{"a", "b"}, Policy: warmer.Policy{Promote: promote, Keep: 2}},
		{Image: "archive", Tag: "v1", Repository: repo, Hosts: []string{"a"}, Policy: warmer.Policy{Promote: promote}},
		{Image: "guarded", Tag: "v2", Repository: repo, Hosts: []string{"a"}, Policy: warmer.Policy{Promote: promote, Approve: true, Cooldown: time.Hour}},
		{Image: "verified", Tag: "v3", Repository: repo, Hosts: []string{"a"}, Policy: warmer.Policy{
			Promote: promote, Approve: true, Verify: &warmer.Verification{Command: []string{"cosign"}},
		}},
		{Image: "chosen", Select: newest, Repository: repo, Hosts: []string{"a"}, Policy: warmer.Policy{Promote: promote}},
	}
	for _, name := range []string{"a", "b"} {
		fake := dockertest.NewFake(dockertest.Options{Name: name})
		s.hosts[name] = fake
		w.Hosts = append(w.Hosts, warmer.HostOptions{Name: name, Host: fake, Pulls: 2})
	}
	s.run(warmer.New(w))
}

// run serves until the test ends or s.stop is called.
func (s *scene) run(images *warmer.Warmer) {
	ctx, cancel := context.WithCancel(context.Background())
	var domain sync.WaitGroup
	domain.Go(func() { _ = images.Run(ctx) })
	url, stop := serve(s.t, server.Options{Images: images, Runs: s.runs, Registry: s.tags})
	s.url, s.client = url, clientOf(s.t, url)
	s.stop = sync.OnceValue(func() error {
		cancel()
		defer domain.Wait()
		return stop()
	})
	s.t.Cleanup(func() {
		if err := s.stop(); err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
}

// serve runs a server on loopback until stop, or until the test ends.
func serve(t testing.TB, o server.Options) (url string, stop func() error) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = discard
	}
	o.Version = "test"
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.New(o).Serve(ctx, l) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return "http://" + l.Addr().String(), stop
}

// clientOf makes a client with connections of its own, so that no test sees
// those of another.
func clientOf(t testing.TB, url string) *api.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &api.Client{URL: url, HTTP: http.Client{Transport: transport}}
}

// push makes digest n what the tags show and waits until it is current.
func (s *scene) push(n int) registry.Pin {
	s.t.Helper()
	pin := dockertest.Pin(repository, n)
	for _, h := range s.hosts {
		h.Push(pin, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{100, int64(1000 + n)})
	}
	s.tags.set(pin, nil)
	for _, name := range []string{"jobs", "archive"} {
		if _, err := s.client.Check(s.t.Context(), name); err != nil {
			s.t.Fatal(err)
		}
		s.await(func() bool {
			image, err := s.client.Image(s.t.Context(), name)
			return err == nil && image.Tracks[0].Current != nil && image.Tracks[0].Current.Pin == pin.String()
		})
	}
	return pin
}

// await waits until something is so.
func (s *scene) await(so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("not so after 10 s")
		}
	}
}

// response is an answer that was read to its end.
type response struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// request calls the API as any program would. A body is JSON unless header
// says else.
func (s *scene) request(method, path, body string, header ...string) *response {
	s.t.Helper()
	return call(s.t, s.client, method, s.url+path, body, header...)
}

func call(t testing.TB, c *api.Client, method, url, body string, header ...string) *response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	plain := http.Client{Transport: c.HTTP.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	expectDocumented(t, method, req.URL.Path, resp, b)
	return &response{t: t, status: resp.StatusCode, header: resp.Header, body: b}
}

// into reads a good answer.
func (r *response) into(v any) {
	r.t.Helper()
	if r.status >= http.StatusBadRequest {
		r.t.Fatalf("status %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%v: %.200s", err, r.body)
	}
}

// problem reads a bad answer and checks what every problem has.
func (r *response) problem(status int, code problem.Code) api.Problem {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d: %.300s", r.status, status, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("content type %q", got)
	}
	var p api.Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		r.t.Fatalf("%v: %.200s", err, r.body)
	}
	if !strings.HasSuffix(p.Type, "/docs/errors.md#"+string(code)) || p.Title == "" || p.Mend == "" || p.Status != status || p.Code != string(code) || p.Detail == "" {
		r.t.Errorf("want code %s, got %+v", code, p)
	}
	return p
}
