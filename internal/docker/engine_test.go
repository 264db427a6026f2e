package docker

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// engine speaks as much of the Engine API as a test wants, over a unix socket:
// for the faults that no real engine commits on demand.
type engine struct {
	t      *testing.T
	socket string
	mux    *http.ServeMux
	server *http.Server

	mu   sync.Mutex
	seen []string // METHOD path, without the version
}

var versionPrefix = regexp.MustCompile(`^/v1\.\d+`)

// newEngine starts an engine of API 1.41 that answers what a probe asks.
func newEngine(t *testing.T) *engine {
	t.Helper()
	return newEngineOf(t, `{"ServerVersion":"20.10.24","OSType":"linux","Architecture":"x86_64","NCPU":2,"MemTotal":4096}`)
}

// newEngineOf starts an engine that says this of itself.
func newEngineOf(t *testing.T, info string) *engine {
	t.Helper()
	return startEngine(t, "1.41", info)
}

// newVersion starts an engine of another API version.
func newVersion(t *testing.T, api string) *engine {
	t.Helper()
	return startEngine(t, api, `{"OSType":"linux","Architecture":"x86_64"}`)
}

func startEngine(t *testing.T, api, info string) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "pw") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &engine{t: t, socket: filepath.Join(dir, "docker.sock"), mux: http.NewServeMux()}
	e.on("HEAD /_ping", pong(api))
	e.on("GET /info", reply(http.StatusOK, info))
	e.start()
	t.Cleanup(e.stop)
	return e
}

func (e *engine) start() {
	e.t.Helper()
	listener, err := net.Listen("unix", e.socket)
	if err != nil {
		e.t.Fatal(err)
	}
	e.server = &http.Server{Handler: http.HandlerFunc(e.serve), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	server := e.server
	go func() { _ = server.Serve(listener) }() // ends with stop
}

// stop ends the engine and all its connections.
func (e *engine) stop() { _ = e.server.Close() }

func (e *engine) serve(w http.ResponseWriter, r *http.Request) {
	if !listed(r) {
		e.t.Errorf("%s %s is not in testdata/calls.txt", r.Method, r.URL.Path)
	}
	r.URL.Path = versionPrefix.ReplaceAllString(r.URL.Path, "")
	r.URL.RawPath = ""
	e.mu.Lock()
	e.seen = append(e.seen, r.Method+" "+r.URL.Path)
	mux := e.mux
	e.mu.Unlock()
	mux.ServeHTTP(w, r)
}

// on answers one kind of call.
func (e *engine) on(pattern string, answer http.HandlerFunc) { e.mux.HandleFunc(pattern, answer) }

// count is how many calls began with prefix.
func (e *engine) count(prefix string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, s := range e.seen {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// host makes a Host of the engine.
func (e *engine) host(change ...func(*Options)) *Host {
	e.t.Helper()
	o := Options{
		Name: "etl-1", Instance: "inst", Endpoint: "unix://" + e.socket,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	h, err := New(o)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(h.Close)
	return h
}

func pong(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", version) }
}

// reply answers with JSON.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// fault answers as an engine does that refuses.
func fault(status int, message string) http.HandlerFunc {
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic(err)
	}
	return reply(status, string(body))
}

// hangUp breaks the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// sequence answers the first call with the first, and so on; the last stays.
func sequence(answers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		answer(w, r)
	}
}

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	config1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	config2 = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

func mustPin(t *testing.T, s string) registry.Pin {
	t.Helper()
	p, err := registry.ParsePin(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pinA(t *testing.T) registry.Pin { return mustPin(t, "reg.test/etl/jobs@"+digestA) }

// engineAPI is the bare client of a host's session, to do to an engine what
// others do.
func engineAPI(t *testing.T, h *Host) *client.Client {
	t.Helper()
	s, err := h.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.api
}

func wantCode(t *testing.T, what string, err error, want problem.Code) {
	t.Helper()
	if got := problem.CodeOf(err); got != want {
		t.Errorf("%s: got code %q, want %q; error: %v", what, got, want, err)
	}
}

// within fails a test that takes longer than it should.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
}
