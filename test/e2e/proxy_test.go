//go:build e2e

package e2e

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// The main job behind a socket proxy that lets nothing through but the calls of
// the list.
func TestASocketProxyWithTheListedCallsIsEnough(t *testing.T) {
	t.Parallel()
	engine := shared.Hosts[0]
	p := newSocketProxy(t, engine)
	one := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Hosts = []string{prewarmtest.Host(&fleet.Host{Name: engine.Name, TCP: "tcp://" + p.address})}
	setup.Images = []string{strings.Replace(image(t), "{", "{retag: true, ", 1)}
	b := newBenchOf(t, setup)
	b.allWarm(one)
	two := push(t, repo(t)+":latest", fleet.ProgramImage("two"))
	b.allWarm(two)
	for code, args := range map[int][]string{0: {"version"}, 42: {"exit", "42"}} {
		b.cli(append([]string{"run", "jobs", "--"}, args...)...).expect(t, code)
	}
	run := b.running("sleep", "1h")
	if _, err := b.client().Cancel(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	b.ended(run.ID)
	await(t, "no container is left", func() bool { return b.containers(engine) == "" })
	b.mustCLI("doctor", "-c", b.configFile())
	if refused := p.calls(); len(refused) > 0 {
		t.Errorf("calls that are not in the list:\n%s", strings.Join(refused, "\n"))
	}
}

// socketProxy stands before an engine.
type socketProxy struct {
	address string
	allowed []*regexp.Regexp
	forward http.Handler

	mu      sync.Mutex
	refused []string
}

func newSocketProxy(t *testing.T, h *fleet.Host) *socketProxy {
	t.Helper()
	list, err := os.ReadFile("../../internal/docker/testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := &socketProxy{forward: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker" },
		FlushInterval: -1, // events and logs come as they are
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(h.Socket, "unix://"))
		}},
	}}
	parts := strings.NewReplacer(`\{id\}`, `[^/]+`, `\{name\}`, `.+`)
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "#" {
			p.allowed = append(p.allowed, regexp.MustCompile(`^`+f[0]+` (/v1\.\d+)?`+parts.Replace(regexp.QuoteMeta(f[1]))+`$`))
		}
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.address = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *socketProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	for _, a := range p.allowed {
		if a.MatchString(call) {
			p.forward.ServeHTTP(w, r)
			return
		}
	}
	p.mu.Lock()
	p.refused = append(p.refused, call)
	p.mu.Unlock()
	http.Error(w, `{"message":"the proxy forbids it"}`, http.StatusForbidden)
}

// calls are those that were refused.
func (p *socketProxy) calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}
