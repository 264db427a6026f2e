package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// dockerd answers a greeting as an engine does.
var dockerd = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/_ping" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Server", "Docker/20.10.24 (linux)")
	_, _ = w.Write([]byte("OK"))
})

// listen serves on a port of this machine, with TLS where there is a
// configuration for it.
func listen(t *testing.T, handler http.Handler, secure *tls.Config) Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, err := ParseEndpoint("tcp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // ends with its close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return at
}

// port is a host that was enrolled just now, with the engine's end of it.
type port struct {
	host   Host
	engine *tls.Config // as dockerd has it with --tlsverify
	target Target      // but for the endpoint
}

func enrolledPort(t *testing.T, names ...string) port {
	t.Helper()
	f := Folder{Dir: t.TempDir()}
	r := request(t, "etl-1", names...)
	r.Now = time.Now()
	h, err := f.Enroll(r)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(h.ServerCert(), filepath.Join(h.EngineDir(), "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return port{
		host: h,
		engine: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(t, filepath.Join(h.EngineDir(), "ca.pem")),
		},
		target: Target{CA: read(t, h.CA), Client: Pair{Cert: read(t, h.Cert()), Key: read(t, h.Key())}},
	}
}

// verdicts are what failed, and a word of why.
func verdicts(results []Result) map[string]string {
	failed := make(map[string]string)
	for _, r := range results {
		if !r.OK {
			failed[r.Check] = r.What
		}
	}
	return failed
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const ours, its, none, stranger, plain = "our certificate", "its certificate", "no certificate", "a stranger's certificate", "plain tcp"
	for name, c := range map[string]struct {
		names   []string
		change  func(t *testing.T, engine *tls.Config) // nil: no TLS at all
		handler http.Handler
		want    map[string]string // what fails, and a part of why
	}{
		"as enrolled":          {[]string{"127.0.0.1"}, func(*testing.T, *tls.Config) {}, dockerd, nil},
		"as enrolled, TLS 1.2": {[]string{"127.0.0.1"}, func(_ *testing.T, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, dockerd, nil},
		"anyone may come":      {[]string{"127.0.0.1"}, func(_ *testing.T, c *tls.Config) { c.ClientAuth = tls.NoClientCert }, dockerd, map[string]string{none: "is let in", stranger: "is let in"}},
		"any certificate will do": {
			[]string{"127.0.0.1"}, func(_ *testing.T, c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, dockerd, map[string]string{stranger: "is let in"},
		},
		"one that is shown is verified": {
			[]string{"127.0.0.1"}, func(_ *testing.T, c *tls.Config) { c.ClientAuth = tls.VerifyClientCertIfGiven }, dockerd, map[string]string{none: "is let in"},
		},
		"it trusts others": {
			[]string{"127.0.0.1"}, func(t *testing.T, c *tls.Config) { c.ClientCAs = enrolledPort(t, "127.0.0.1").engine.ClientCAs }, dockerd, map[string]string{ours: "it is refused"},
		},
		"another name": {[]string{"10.0.0.11"}, func(*testing.T, *tls.Config) {}, dockerd, map[string]string{its: "not 127.0.0.1"}},
		"another authority": {
			[]string{"127.0.0.1"}, func(t *testing.T, c *tls.Config) { c.Certificates = enrolledPort(t, "127.0.0.1").engine.Certificates }, dockerd, map[string]string{its: "unknown authority"},
		},
		"plain tcp":     {[]string{"127.0.0.1"}, nil, dockerd, map[string]string{ours: "does not speak TLS", its: "none was seen", none: "could not be tried", stranger: "could not be tried", plain: "whoever reaches the port is root"}},
		"not an engine": {[]string{"127.0.0.1"}, func(*testing.T, *tls.Config) {}, http.NotFoundHandler(), map[string]string{ours: "no engine: 404"}},
		"a proxy that asks late": {
			[]string{"127.0.0.1"},
			func(_ *testing.T, c *tls.Config) { c.ClientAuth = tls.RequestClientCert },
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if len(r.TLS.PeerCertificates) == 0 || r.TLS.PeerCertificates[0].Subject.CommonName != "prewarm for etl-1" {
					http.Error(w, "no", http.StatusForbidden)
					return
				}
				dockerd(w, r)
			}),
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := enrolledPort(t, c.names...)
			secure := p.engine
			if c.change == nil {
				secure = nil
			} else {
				c.change(t, secure)
			}
			p.target.Endpoint = listen(t, c.handler, secure)
			for range 5 { // a refusal must not be lost in the connection's end
				results, err := Check(t.Context(), p.target)
				if err != nil {
					t.Fatal(err)
				}
				want := make(map[string]string)
				for check, why := range c.want {
					if check == plain {
						check += ", port " + p.target.Endpoint.Port
					}
					want[check] = why
				}
				compareVerdicts(t, want, results)
			}
		})
	}
}

func compareVerdicts(t *testing.T, want map[string]string, results []Result) {
	t.Helper()
	got := verdicts(results)
	for check, why := range want {
		if !strings.Contains(got[check], why) {
			t.Errorf("%s: %q, want %q", check, got[check], why)
		}
		delete(got, check)
	}
	if len(got) > 0 {
		t.Errorf("failed, too: %v", got)
	}
	var checks []string
	for _, r := range results {
		checks = append(checks, r.Check)
		if r.What == "" || r.OK != (r.Mend == "") {
			t.Errorf("%+v", r)
		}
	}
	if len(results) != 6 {
		t.Errorf("checked %q", checks)
	}
	if Passed(results) != (len(want) == 0) {
		t.Errorf("passed: %v", Passed(results))
	}
}

// What is not there, and what says nothing, lets nobody in.
func TestCheckOfNobody(t *testing.T) {
	t.Parallel()
	p := enrolledPort(t, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if p.target.Endpoint, err = ParseEndpoint("tcp://" + l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	results, err := Check(t.Context(), p.target)
	if err != nil {
		t.Fatal(err)
	}
	compareVerdicts(t, map[string]string{
		"our certificate": "connection refused", "its certificate": "none was seen", "no certificate": "could not be tried", "a stranger's certificate": "could not be tried",
	}, results)
	p.target.Endpoint.Host = "nobody.invalid"
	results, err = Check(t.Context(), p.target)
	if err != nil || len(verdicts(results)) != 6 {
		t.Errorf("of a name that there is not: %v, %v", results, err)
	}
}

// A connection that ends without a word is no engine, and no other word than an
// alert is taken for a refusal.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer answer
		err    error
		want   bool
	}{
		"an alert":          {err: &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, want: true},
		"hung up on":        {err: io.EOF, want: true},
		"served":            {answer: answer{status: 200, engine: true}},
		"served by others":  {answer: answer{status: 404}},
		"forbidden":         {answer: answer{status: 403}, want: true},
		"too slow":          {err: os.ErrDeadlineExceeded},
		"never reached":     {err: &unreached{io.EOF}},
		"no certificate":    {err: x509.UnknownAuthorityError{}},
		"a local operation": {err: &net.OpError{Op: "read", Err: errors.New("x")}},
	} {
		if got := refusal("c", "who", c.answer, c.err); got.OK != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCheckOfFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	p, other := enrolledPort(t, "127.0.0.1"), enrolledPort(t, "127.0.0.1")
	for name, spoil := range map[string]func(*Target){
		"no authority":  func(t *Target) { t.CA = []byte("x") },
		"another's key": func(t *Target) { t.Client.Key = other.target.Client.Key },
	} {
		target := p.target
		spoil(&target)
		if _, err := Check(t.Context(), target); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An engine that is given its certificates while somebody waits is found good.
func TestAwait(t *testing.T) {
	t.Parallel()
	p := enrolledPort(t, "127.0.0.1")
	var seen atomic.Int32
	careless := p.engine.Clone()
	careless.ClientAuth = tls.NoClientCert
	careless.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if seen.Add(1) > 3 { // as many as one check makes
			return p.engine, nil
		}
		return nil, nil
	}
	p.target.Endpoint = listen(t, dockerd, careless)
	results, err := Await(t.Context(), p.target, time.Minute)
	if err != nil || !Passed(results) || seen.Load() != 6 {
		t.Errorf("Await: %v, %v after %d connections", results, err, seen.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Await(ctx, p.target, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("Await of a caller that left: %v", err)
	}
}
