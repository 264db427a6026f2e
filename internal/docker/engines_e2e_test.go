//go:build e2e

package docker

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/test/fleet"
)

// tlsOptions reach a rig's host by its port.
func tlsOptions(h *fleet.Host) Options {
	o := options(h.TCP)
	o.TLS = &TLS{CA: h.CAFile(), Cert: h.CertFile(), Key: h.KeyFile()}
	return o
}

// sshOptions reach a rig's host by its sshd.
func sshOptions(h *fleet.Host) Options {
	o := options(h.SSH.URL)
	o.SSH = &SSH{KeyFile: h.SSH.KeyFile, KnownHosts: h.SSH.KnownHosts}
	return o
}

// TestContractByEveryWay: the same promises over TLS, over ssh and behind a
// proxy that lets through what testdata/calls.txt lists.
func TestContractByEveryWay(t *testing.T) {
	h := shared.fleet.Hosts[0]
	for name, o := range map[string]Options{
		"TLS":         tlsOptions(h),
		"SSH":         sshOptions(h),
		"SocketProxy": options(socketProxy(t, h.Socket)),
	} {
		t.Run(name, func(t *testing.T) {
			dockertest.Contract(t, func(t *testing.T) dockertest.Subject {
				return shared.subject(t, o, h.Socket)
			})
		})
	}
}

// socketProxy stands in front of an engine and answers 403 to every call that is
// not listed, as an operator's would.
func socketProxy(t *testing.T, socket string) (endpoint string) {
	t.Helper()
	behind, err := url.Parse("http://docker")
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.FlushInterval = -1
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx, "unix", strings.TrimPrefix(socket, "unix://"))
	}}
	dir, err := os.MkdirTemp("", "pw") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "proxy.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listed(r) {
			t.Errorf("%s %s is not in testdata/calls.txt", r.Method, r.URL.Path)
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }() // ends with its close
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + listener.Addr().String()
}

// TestRealTLS: what a real engine says to certificates that it does not like.
func TestRealTLS(t *testing.T) {
	h := shared.fleet.Hosts[0]
	for _, c := range []struct {
		name   string
		change func(*Options)
		why    string
	}{
		{"no client certificate", func(o *Options) { o.TLS.Cert, o.TLS.Key = "", "" }, "refuses our certificate"},
		{"the system's authorities", func(o *Options) { o.TLS.CA = "" }, "signed by an authority that is not trusted here"},
		{"another name", func(o *Options) { o.TLS.ServerName = "other.test" }, "is for another name"},
		{"no TLS", func(o *Options) { o.TLS, o.Insecure = nil, true }, "speaks TLS"},
	} {
		o := tlsOptions(h)
		c.change(&o)
		_, err := newHost(t, o).Probe(t.Context())
		t.Log(c.name, "→", err)
		wantObstacle(t, err, c.why)
	}
	host := newHost(t, tlsOptions(h))
	if anyone, err := host.AnswersAnyone(t.Context()); anyone || err != nil {
		t.Errorf("AnswersAnyone = %v, %v of an engine with --tlsverify", anyone, err)
	}
	if err := h.RenewClient(-time.Minute); err != nil {
		t.Fatal(err)
	}
	wantObstacle(t, host.Confirm(t.Context()), "refuses our certificate")
	if err := h.RenewClient(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := host.Confirm(t.Context()); err != nil {
		t.Errorf("Confirm with a renewed certificate: %v", err)
	}
	open := shared.fleet.Hosts[1]
	if anyone, err := newHost(t, tlsOptions(open)).AnswersAnyone(t.Context()); !anyone || err != nil {
		t.Errorf("AnswersAnyone = %v, %v of an engine that asks for no certificate", anyone, err)
	}
}

// TestRealSSH does to a real sshd what happens to one.
func TestRealSSH(t *testing.T) {
	ctx, server := t.Context(), shared.fleet.Hosts[0].SSH
	host := newHost(t, sshOptions(shared.fleet.Hosts[0]))
	engine, err := host.Probe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if engine.Disk.Total <= 0 || engine.Disk.Free <= 0 {
		t.Errorf("disk %+v, want that of the machine", engine.Disk)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	err = host.Confirm(ctx)
	t.Log("killed →", err)
	wantCode(t, "Confirm of a machine without sshd", err, problem.HostUnreachable)
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := host.Confirm(ctx); err != nil {
		t.Errorf("Confirm when sshd is back: %v", err)
	}
	if err := server.Forwarding(ctx, false); err != nil {
		t.Fatal(err)
	}
	_, err = host.Probe(ctx)
	t.Log("no forwarding →", err)
	wantObstacle(t, err, "does not forward to")
	if err := server.Forwarding(ctx, true); err != nil {
		t.Fatal(err)
	}
	if err := host.Confirm(ctx); err != nil {
		t.Errorf("Confirm when forwarding is back: %v", err)
	}
	if err := server.NewHostKey(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = newHost(t, sshOptions(shared.fleet.Hosts[0])).Probe(ctx)
	t.Log("another host key →", err)
	wantObstacle(t, err, "another one than line")
}

// TestRealReach: what engines say of registries that they can't use.
func TestRealReach(t *testing.T) {
	ctx, h := t.Context(), newHost(t, options(shared.fleet.Hosts[0].Socket))
	private, err := shared.fleet.AddRegistry(ctx, fleet.RegistryOptions{Name: "private", TLS: true, Accounts: map[string]string{"ci": "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := private.Push(ctx, "etl/private:v1", fleet.Image{Version: "v1"}); err != nil {
		t.Fatal(err)
	}
	o := options(shared.fleet.Hosts[0].Socket)
	o.Credentials = func(_ context.Context, repo registry.Repository) (registry.Credentials, error) {
		return registry.Credentials{Username: "ci", Password: "secret", Server: repo.Host()}, nil
	}
	if err := newHost(t, o).ReachRegistry(ctx, ref(t, private.Addr+"/etl/private:v1")); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	reachAll(t, h, private)
}

func reachAll(t *testing.T, h *Host, private *fleet.Registry) {
	t.Helper()
	plain := shared.fleet.Registry.Addr
	gateway, _, _ := net.SplitHostPort(plain)
	for _, c := range []struct {
		what string
		ref  string
		want problem.Code
	}{
		{"there", plain + "/etl/program:v1", ""},
		{"no such tag", plain + "/etl/program:none", ""},
		{"no such repository", plain + "/etl/none:v1", ""},
		{"no credentials", private.Addr + "/etl/private:v1", problem.RegistryAuth},
		{"nobody there", gateway + ":1/etl/program:v1", problem.RegistryUnavailable},
		{"no such name", "registry.invalid/etl/program:v1", problem.RegistryUnavailable},
	} {
		begin := time.Now()
		err := h.ReachRegistry(t.Context(), ref(t, c.ref))
		t.Log(c.what, "→", time.Since(begin), err)
		wantCode(t, c.what, err, c.want)
	}
}

func ref(t *testing.T, s string) registry.Ref {
	t.Helper()
	r, err := registry.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRealMirror: behind a real cache the origin sees a manifest, and no blob.
func TestRealMirror(t *testing.T) {
	upstreamIsSpared(t, options(shared.fleet.Hosts[0].Socket), "one")
}

func upstreamIsSpared(t *testing.T, o Options, name string) {
	t.Helper()
	ctx := t.Context()
	up, err := shared.fleet.AddRegistry(ctx, fleet.RegistryOptions{Name: "up" + name, Gate: true})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := up.Push(ctx, "etl/cached:v1", fleet.Image{Version: "v1", Random: []int64{4 << 20}, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := shared.fleet.AddRegistry(ctx, fleet.RegistryOptions{Name: "cache" + name, CacheOf: up})
	if err != nil {
		t.Fatal(err)
	}
	at := func(r *fleet.Registry) registry.Pin { return mustPin(t, r.Addr+"/etl/cached@"+digest) }
	o.Mirror = func(registry.Repository) (registry.Repository, bool) { return at(cache).Repository(), true }
	h := newHost(t, o)
	clearEngine(t, h)
	up.Gate.Reset() // the cache fills itself: once
	if _, err := h.Keep(ctx, at(up), nil); err != nil {
		t.Fatal(err)
	}
	cold, err := up.Gate.Quiet(ctx) // or the cache does not have all of it yet
	if err != nil {
		t.Fatal(err)
	}
	clearEngine(t, h)
	up.Gate.Reset()
	if _, err := h.Keep(ctx, at(up), nil); err != nil {
		t.Fatal(err)
	}
	warm := up.Gate.Counts()
	t.Logf("the origin saw, with a cold cache %+v, with a warm one %+v", cold, warm)
	if warm.BlobGet != 0 || warm.BlobBytes != 0 {
		t.Errorf("the origin served blobs: %+v", warm)
	}
	got, err := others{engineAPI(t, h)}.Names(ctx)
	if err != nil || len(got) != 2 {
		t.Errorf("names %q, %v; want the pin and its keep-tag", got, err)
	}
}
