package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
)

// engine is a Docker Engine that answers what the doctor asks, behind a socket.
type engine struct {
	socket string

	mu    sync.Mutex
	asked []string // methods and paths
}

func newEngine(t *testing.T, ahead time.Duration) *engine {
	t.Helper()
	e := &engine{socket: filepath.Join(t.TempDir(), "docker.sock")}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("GET /v1.41/info", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ServerVersion": "20.10.24", "OSType": "linux", "Architecture": "x86_64", "NCPU": 2, "SystemTime": time.Now().Add(ahead).Format(time.RFC3339Nano),
		})
	})
	mux.HandleFunc("GET /v1.41/volumes", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"Volumes":[]}`) })
	mux.HandleFunc("GET /v1.41/distribution/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "Get \"https://r/v2/\": x509: certificate signed by unknown authority"})
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", e.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.asked = append(e.asked, r.Method+" "+r.URL.Path)
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
	})}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		served.Wait()
	})
	return e
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	address, digest := tagServer(t, "v1")
	up := newEngine(t, time.Hour)
	c := load(t, fmt.Sprintf(`
registries: [{name: %q, plain_http: true}, {name: "127.0.0.1:1", plain_http: true}]
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
  - {name: up, endpoint: "unix://%s"}
images: [{name: jobs, repository: "%s/etl/jobs", track: {tag: v1}}]
`, address, up.socket, address))
	var got []string
	for _, f := range app.Diagnose(t.Context(), c, "test") {
		got = append(got, strings.Join([]string{string(f.Level), f.About, f.Check}, ", "))
		if f.What == "" || f.Level != app.Good && f.Mend == "" {
			t.Errorf("%+v", f)
		}
		if f.Check == "image" && f.What != address+"/etl/jobs:v1 is "+digest[:19] {
			t.Errorf("%+v", f)
		}
	}
	want := []string{
		"fail, host gone, reachable",
		"ok, host up, reachable",
		"warn, host up, clock",
		"ok, host up, disk",
		"fail, host up, registry " + address,
		"ok, registry " + address + ", reachable",
		"ok, registry " + address + ", image",
		"warn, registry " + address + ", quota",
		"fail, registry 127.0.0.1:1, reachable",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	for _, asked := range up.asked {
		if !strings.HasPrefix(asked, "GET ") && !strings.HasPrefix(asked, "HEAD ") {
			t.Errorf("the doctor changes something: %s", asked)
		}
	}
	if len(up.asked) < 3 {
		t.Errorf("asked only for %q", up.asked)
	}
}

// A registry is read by what the first image of it follows.
func TestDiagnoseReadsWhatIsFollowed(t *testing.T) {
	t.Parallel()
	address, digest := tagServer(t, "1.0.0", "1.0.1")
	for track, want := range map[string]app.Finding{
		"{select: {include: '^1'}}": {Level: app.Good, What: address + "/etl/jobs has 2 tags"},
		"{digest: " + digest + "}":  {Level: app.Good, What: address + "/etl/jobs@" + digest + " is there"},
		"{tag: v9}":                 {Level: app.Failure},
	} {
		findings := app.Diagnose(t.Context(), imagesAt(t, address, track), "test")
		var read *app.Finding
		for _, f := range findings {
			if f.Check == "image" {
				read = &f
			}
		}
		if read == nil || read.Level != want.Level || want.What != "" && read.What != want.What {
			t.Errorf("%s: %+v", track, read)
		}
	}
	if findings := app.Diagnose(t.Context(), config.Default(), "test"); len(findings) != 0 {
		t.Errorf("%+v", findings)
	}
}
