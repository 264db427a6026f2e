package docker

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	const result = "/airflow/xcom/return.json"
	scratch := &runner.Scratch{Kind: runner.Volume, Target: "/scratch/"}
	for _, c := range []struct {
		name    string
		spec    runner.Spec
		open    []string
		own     string // target; empty: none
		refused bool
	}{
		{"nothing", runner.Spec{ReadOnly: true}, nil, "", false},
		{"a result", runner.Spec{Result: result}, []string{"/airflow/xcom"}, "", false},
		{"a result under a read-only root", runner.Spec{Result: result, ReadOnly: true}, []string{"/airflow/xcom"}, "/airflow/xcom", false},
		{"scratch", runner.Spec{Scratch: scratch}, []string{"/scratch"}, "", false},
		{"scratch under a read-only root", runner.Spec{Scratch: scratch, ReadOnly: true}, []string{"/scratch"}, "", false},
		{"scratch in memory", runner.Spec{Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/scratch"}, ReadOnly: true}, nil, "", false},
		{"a scope's volume", runner.Spec{ScopeVolume: "/share", Result: "/share/return.json"}, []string{"/share"}, "", false},
		{"all of it", runner.Spec{ScopeVolume: "/share", Result: "/share/a/return.json", Scratch: scratch, ReadOnly: true}, []string{"/scratch", "/share", "/share/a"}, "", false},
		{"a volume of the caller's", runner.Spec{Result: result, ReadOnly: true, Mounts: []runner.Mount{{Kind: runner.Volume, Source: "v", Target: "/airflow"}, {Kind: runner.Volume, Source: "w", Target: "/other"}}}, []string{"/airflow/xcom"}, "", false},
		{"a folder of the host's", runner.Spec{Result: result, Mounts: []runner.Mount{{Kind: runner.Bind, Source: "/x", Target: "/airflow"}}}, nil, "", false},
		{"the innermost mount counts", runner.Spec{Result: result, Mounts: []runner.Mount{{Kind: runner.Bind, Source: "/x", Target: "/airflow/xcom"}, {Kind: runner.Tmpfs, Target: "/airflow"}}}, nil, "", false},
		{"a mount beside it", runner.Spec{Result: result, Mounts: []runner.Mount{{Kind: runner.Tmpfs, Target: "/airflow/x"}}}, []string{"/airflow/xcom"}, "", false},

		{"below a tmpfs", runner.Spec{Result: result, Mounts: []runner.Mount{{Kind: runner.Tmpfs, Target: "/airflow/"}}}, nil, "", true},
		{"below a scratch in memory", runner.Spec{Result: "/scratch/r", Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/scratch"}}, nil, "", true},
		{"in shared memory", runner.Spec{Result: "/dev/shm/r"}, nil, "", true},
		{"on a read-only mount", runner.Spec{Result: result, Mounts: []runner.Mount{{Kind: runner.Volume, Target: "/airflow", ReadOnly: true}}}, nil, "", true},
		{"in the root folder", runner.Spec{Result: "/return.json"}, nil, "", true},
		{"no absolute path", runner.Spec{Result: "return.json"}, nil, "", true},
		{"no file", runner.Spec{Result: "/x/.."}, nil, "", true},
	} {
		got, err := roomFor(containerOf(t, c.spec))
		if (problem.CodeOf(err) == problem.InvalidRequest) != c.refused || (err != nil) != c.refused {
			t.Errorf("%s: %v, want refused %v", c.name, err, c.refused)
			continue
		}
		if c.refused && problem.From(err).Mend == "" {
			t.Errorf("%s: %v has no mend", c.name, err)
		}
		own := ""
		for _, m := range got.own {
			own += m.Target
		}
		if !slices.Equal(got.open, c.open) || own != c.own {
			t.Errorf("%s: open %q, own %q; want %q, %q", c.name, got.open, own, c.open, c.own)
		}
	}
}

// folders gives the modes of the folders that an archive call makes.
func folders(t *testing.T, r *http.Request) map[string]int64 {
	t.Helper()
	if got := r.URL.Query().Get("path"); got != "/" {
		t.Errorf("unpacked at %q, want the root", got)
	}
	made := map[string]int64{}
	archive := tar.NewReader(r.Body)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return made
		}
		if err != nil {
			t.Error(err)
			return made
		}
		if h.Typeflag != tar.TypeDir {
			t.Errorf("%s is no folder", h.Name)
		}
		made[h.Name] = h.Mode
	}
}

// withVolumes answers an inspect of a container whose root is read-only.
func withVolumes() http.HandlerFunc {
	return reply(http.StatusOK, `{"Id":"c1","Name":"/prewarm-r1","Image":"`+config1+`","State":`+stateCreated+`,"Config":{"Labels":`+ourLabels+`},"Mounts":[
		{"Type":"volume","Name":"f00","Destination":"/airflow/xcom"},{"Type":"volume","Name":"scope1","Destination":"/share"},
		{"Type":"volume","Name":"other","Destination":"/other"},{"Type":"tmpfs","Destination":"/quick"}]}`)
}

// TestReadOnlyRootsHaveAHelper: what must be writable is made so in another
// container, which has the same volumes and goes.
func TestReadOnlyRootsHaveAHelper(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	type asked struct {
		Labels     map[string]string
		HostConfig struct {
			ReadonlyRootfs bool
			Mounts         []mount.Mount
		}
	}
	made := map[string]asked{}
	e.on("POST /containers/create", func(w http.ResponseWriter, r *http.Request) {
		var a asked
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		id := "helper"
		if r.URL.Query().Get("name") != "" {
			id = "c1"
		}
		made[id] = a
		reply(http.StatusCreated, `{"Id":"`+id+`"}`)(w, r)
	})
	e.on("PUT /containers/helper/archive", func(_ http.ResponseWriter, r *http.Request) {
		if diff := cmp.Diff(map[string]int64{"airflow/xcom/": 0o1777, "share/": 0o777}, folders(t, r)); diff != "" {
			t.Errorf("folders (-want +got):\n%s", diff)
		}
	})
	e.on("DELETE /containers/helper", reply(http.StatusNoContent, ""))
	e.on("GET /containers/c1/json", withVolumes())
	c := containerOf(t, runner.Spec{ReadOnly: true, Result: "/airflow/xcom/return.json", ScopeVolume: "/share"})
	c.ScopeVolume = "scope1"
	if _, err := e.host().Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	helper, own := made["helper"], made["c1"]
	want := []mount.Mount{{Type: "volume", Source: "f00", Target: "/airflow/xcom"}, {Type: "volume", Source: "scope1", Target: "/share"}}
	if diff := cmp.Diff(want, helper.HostConfig.Mounts); diff != "" || helper.HostConfig.ReadonlyRootfs {
		t.Errorf("the helper's root is read-only: %v; its mounts (-want +got):\n%s", helper.HostConfig.ReadonlyRootfs, diff)
	}
	// The run's too: a sweep would remove what no run claims.
	if helper.Labels[labelInstance] != "inst" || helper.Labels[labelRun] != "r1" {
		t.Errorf("the helper has labels %v", helper.Labels)
	}
	want = []mount.Mount{{Type: "volume", Source: "scope1", Target: "/share"}, {Type: "volume", Target: "/airflow/xcom"}}
	if diff := cmp.Diff(want, own.HostConfig.Mounts); diff != "" || !own.HostConfig.ReadonlyRootfs {
		t.Errorf("the container's root is read-only: %v; its mounts (-want +got):\n%s", own.HostConfig.ReadonlyRootfs, diff)
	}
	if e.count("DELETE /containers/helper") != 1 || e.count("PUT /containers/c1") != 0 {
		t.Errorf("calls %q", e.seen)
	}
}

// TestHelperThatFails: what was made goes, unless the engine is out of reach.
func TestHelperThatFails(t *testing.T) {
	t.Parallel()
	helper := reply(http.StatusCreated, `{"Id":"helper"}`)
	for _, c := range []struct {
		name          string
		create, widen http.HandlerFunc
		want          problem.Code
		removed       int
	}{
		{"refused", fault(http.StatusBadRequest, "no"), nil, problem.StartFailed, 1},
		{"no answer", hangUp, nil, problem.HostUnreachable, 0},
		{"no answer to the archive", helper, hangUp, problem.HostUnreachable, 0},
		{"nothing can be widened", helper, fault(http.StatusInternalServerError, "cannot overwrite non-directory"), problem.StartFailed, 2},
		{"the disk is full", helper, fault(http.StatusInternalServerError, "no space left on device"), problem.NoSpace, 2},
	} {
		e := warmEngine(t)
		e.on("POST /containers/create", sequence(reply(http.StatusCreated, `{"Id":"c1"}`), c.create))
		e.on("GET /containers/c1/json", withVolumes())
		if c.widen != nil {
			e.on("PUT /containers/helper/archive", c.widen)
		}
		e.on("DELETE /containers/", reply(http.StatusNoContent, ""))
		_, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{ReadOnly: true, Result: "/airflow/xcom/r.json"}))
		wantCode(t, c.name, err, c.want)
		if n := e.count("DELETE "); n != c.removed {
			t.Errorf("%s: removed %d containers, want %d", c.name, n, c.removed)
		}
	}
}

// TestContainerThatCantBeWidened does not stay.
func TestContainerThatCantBeWidened(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	e.on("POST /containers/create", reply(http.StatusCreated, `{"Id":"c1"}`))
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	e.on("PUT /containers/c1/archive", fault(http.StatusInternalServerError, "cannot overwrite non-directory"))
	e.on("DELETE /containers/c1", reply(http.StatusNoContent, ""))
	_, err := e.host().Create(t.Context(), containerOf(t, runner.Spec{Result: "/var/run/r.json"}))
	wantCode(t, "Create", err, problem.StartFailed)
	if e.count("DELETE /containers/c1") != 1 || problem.From(err).Mend == "" {
		t.Errorf("%v; calls %q", err, e.seen)
	}
}
