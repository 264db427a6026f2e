package docker

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/registry"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	jobs := pinA(t)
	hub := mustPin(t, "node@"+digestA)
	amd64 := registry.Platform{OS: "linux", Architecture: "amd64"}
	tag := "reg.test/etl/jobs:prewarm-" + jobs.Digest().Hex()
	img := func(id, digest string, tags ...string) image.InspectResponse {
		return image.InspectResponse{ID: id, RepoDigests: []string{digest}, RepoTags: tags, Os: "linux", Architecture: "amd64"}
	}
	arm := img(config1, jobs.String())
	arm.Architecture = "arm64"
	for _, c := range []struct {
		name  string
		pin   registry.Pin
		store string
		img   image.InspectResponse
		want  verdict
		kept  bool
		tags  []string
	}{
		{"classic", jobs, classic, img(config1, jobs.String()), held, false, nil},
		{"kept", jobs, classic, img(config1, jobs.String(), "reg.test/etl/jobs:latest", "reg.test/etl/other:v1", tag), held, true, []string{"latest"}},
		{"kept elsewhere only", jobs, classic, img(config1, jobs.String(), "prewarm.local/x:prewarm-"+jobs.Digest().Hex()), held, false, nil},
		{"hub's short names", hub, classic, img(config1, "node@"+digestA, "node:prewarm-"+hub.Digest().Hex(), "node:22", "node:20"), held, true, []string{"20", "22"}},
		{"another digest", jobs, classic, img(config1, "reg.test/etl/jobs@"+digestB), unproven, false, nil},
		{"another repository", jobs, classic, img(config1, "reg.test/etl/other@"+digestA), unproven, false, nil},
		{"loaded, no digest", jobs, classic, image.InspectResponse{ID: config1, Os: "linux", Architecture: "amd64"}, unproven, false, nil},
		{"another platform", jobs, classic, arm, alien, false, nil},
		{"containerd", jobs, containerd, img(digestA, jobs.String(), jobs.String(), tag), held, true, nil},
		{"containerd, another id", jobs, containerd, img(digestB, jobs.String()), unproven, false, nil},
	} {
		got := judge(c.pin, facts{platform: amd64, store: c.store}, c.img)
		if got.verdict != c.want || got.Kept != c.kept {
			t.Errorf("%s: got verdict %d, kept %v; want %d, %v", c.name, got.verdict, got.Kept, c.want, c.kept)
		}
		if !slices.Equal(got.Tags, c.tags) {
			t.Errorf("%s: got tags %q, want %q", c.name, got.Tags, c.tags)
		}
	}
}

// TestContainerdSize: inspect gives the packed size there, and the list packed
// and unpacked in one.
func TestContainerdSize(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.mux = http.NewServeMux()
	e.on("HEAD /_ping", pong("1.51"))
	e.on("GET /info", reply(http.StatusOK, `{"OSType":"linux","Architecture":"aarch64","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}`))
	e.on("GET /images/", reply(http.StatusOK, fmt.Sprintf(
		`{"Id":%q,"RepoDigests":["reg.test/etl/jobs@%s"],"Os":"linux","Architecture":"arm64","Variant":"v8","Size":28}`, digestA, digestA)))
	e.on("GET /images/json", reply(http.StatusOK, fmt.Sprintf(`[{"Id":%q,"Size":99},{"Id":%q,"Size":66}]`, digestB, digestA)))
	got, ok, err := e.host().Inspect(t.Context(), pinA(t))
	if err != nil || !ok || got.Bytes != 38 || got.ID != digestA {
		t.Errorf("Inspect = %+v, %v, %v; want 38 unpacked bytes", got, ok, err)
	}
}

func TestInspectRefusesTheZeroPin(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	if _, ok, err := e.host().Inspect(t.Context(), registry.Pin{}); ok || err == nil {
		t.Errorf("Inspect = %v, %v; want an error", ok, err)
	}
}
