package docker

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func TestPlatformOf(t *testing.T) {
	t.Parallel()
	for machine, want := range map[string]string{
		"x86_64": "linux/amd64", "amd64": "linux/amd64", "aarch64": "linux/arm64",
		"armv7l": "linux/arm/v7", "armv6l": "linux/arm/v6", "i686": "linux/386",
		"ppc64le": "linux/ppc64le", "s390x": "linux/s390x", "riscv64": "linux/riscv64",
	} {
		if got := platformOf("linux", machine).String(); got != want {
			t.Errorf("platformOf(%q) = %s, want %s", machine, got, want)
		}
	}
}

func TestFactsTellTheImageStore(t *testing.T) {
	t.Parallel()
	info := system.Info{OSType: "linux", Architecture: "x86_64", DriverStatus: [][2]string{{"Backing Filesystem", "extfs"}}}
	if got := factsOf(info).store; got != classic {
		t.Errorf("got %q, want classic", got)
	}
	info.DriverStatus = append(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
	if got := factsOf(info).store; got != containerd {
		t.Errorf("got %q, want containerd", got)
	}
}

func TestProbeLeavesAMarker(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var made volume.Volume
	e.on("GET /volumes/prewarm-inst", func(w http.ResponseWriter, r *http.Request) {
		if made.Name == "" {
			fault(http.StatusNotFound, "no such volume")(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(made)
	})
	e.on("POST /volumes/create", func(w http.ResponseWriter, r *http.Request) {
		var asked volume.CreateOptions
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		made = volume.Volume{Name: asked.Name, Labels: asked.Labels}
		_ = json.NewEncoder(w).Encode(made)
	})
	h := e.host()
	got, err := h.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := warmer.Engine{
		Marker: made.Labels[labelMarker], MarkerHost: "etl-1", Version: "20.10.24", APIVersion: "1.41",
		ImageStore: "classic", Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, CPUs: 2, Memory: 4096,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Probe (-want +got):\n%s", diff)
	}
	if got.Marker == "" || made.Labels[labelInstance] != "inst" {
		t.Errorf("the marker is %+v", made)
	}
	if _, err := h.Probe(t.Context()); err != nil || e.count("POST /volumes/create") != 1 {
		t.Errorf("a second probe: %v, %d markers made; want one", err, e.count("POST /volumes/create"))
	}
}

// Examine tells the same and leaves nothing.
func TestExamineLeavesNoMarker(t *testing.T) {
	t.Parallel()
	e := newEngine(t) // fails at a call that it was not told of: volumes
	got, err := e.host().Examine(t.Context())
	if err != nil || got.Marker != "" || got.Version != "20.10.24" || got.CPUs != 2 {
		t.Errorf("Examine = %+v, %v", got, err)
	}
}

// Instances are those whose markers are there; a scope's volume is no marker.
func TestInstances(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /volumes", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("filters"); got != `{"label":{"prewarm.marker":true}}` {
			t.Errorf("asked for %s", got)
		}
		reply(http.StatusOK, `{"Volumes":[{"Name":"prewarm-two","Labels":{"prewarm.instance":"two","prewarm.marker":"M"}},
			{"Name":"prewarm-inst","Labels":{"prewarm.instance":"inst","prewarm.marker":"N"}}]}`)(w, r)
	})
	if got, err := e.host().Instances(t.Context()); err != nil || !slices.Equal(got, []string{"inst", "two"}) {
		t.Errorf("Instances = %v, %v", got, err)
	}
	closed := newEngine(t)
	closed.on("GET /volumes", fault(http.StatusForbidden, "the proxy says no"))
	if _, err := closed.host().Instances(t.Context()); err == nil {
		t.Error("Instances of a proxy that lets no list through: no error")
	}
}

// TestMarkerOfAnotherHost: two entries reach one engine, and the first one won
// between our look and our create.
func TestMarkerOfAnotherHost(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /volumes/prewarm-inst", fault(http.StatusNotFound, "no such volume"))
	e.on("POST /volumes/create", reply(http.StatusCreated,
		`{"Name":"prewarm-inst","Labels":{"prewarm.instance":"inst","prewarm.host":"etl-9","prewarm.marker":"M"}}`))
	got, err := e.host().Probe(t.Context())
	if err != nil || got.Marker != "M" || got.MarkerHost != "etl-9" {
		t.Errorf("Probe = %+v, %v; want marker M of etl-9", got, err)
	}
}

func TestMarkerWithoutOurLabels(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /volumes/prewarm-inst", reply(http.StatusOK, `{"Name":"prewarm-inst"}`))
	_, err := e.host().Probe(t.Context())
	wantCode(t, "Probe", err, problem.EngineAPI)
	if problem.From(err).Mend == "" {
		t.Error("no mend")
	}
}
