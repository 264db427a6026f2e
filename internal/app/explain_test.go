package app_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
)

// tagServer is a registry of one repository, etl/jobs, whose tags all show the
// image of the given digest.
func tagServer(t *testing.T, tags ...string) (address, digest string) {
	t.Helper()
	image := []byte(`{"os":"linux","architecture":"arm64"}`)
	digestOf := func(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }
	const imageType = "application/vnd.oci.image.manifest.v1+json"
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":%d,"digest":%q},"layers":[]}`,
		imageType, len(image), digestOf(image))
	digest = digestOf(manifest)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v2/etl/jobs/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"name": "etl/jobs", "tags": tags})
	})
	mux.HandleFunc("GET /v2/etl/jobs/blobs/{digest}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(image) })
	mux.HandleFunc("GET /v2/etl/jobs/manifests/{reference}", func(w http.ResponseWriter, r *http.Request) {
		if reference := r.PathValue("reference"); reference != digest && !slices.Contains(tags, reference) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`))
			return
		}
		w.Header().Set("Content-Type", imageType)
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Ratelimit-Limit", "100;w=21600")
		w.Header().Set("Ratelimit-Remaining", "5;w=21600")
		_, _ = w.Write(manifest)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), digest
}

// imagesAt is a configuration with one image, which follows what track says.
func imagesAt(t *testing.T, address, track string) *config.Config {
	t.Helper()
	return load(t, fmt.Sprintf(`
registries: [{name: %q, plain_http: true}]
hosts: [{name: gone, endpoint: "unix:///nowhere/docker.sock"}]
images: [{name: jobs, repository: "%s/etl/jobs", track: %s}]
`, address, address, track))
}

func TestExplainATagAndADigest(t *testing.T) {
	t.Parallel()
	address, digest := tagServer(t, "v1")
	for track, want := range map[string]app.Explanation{
		"{tag: v1}":                {Tag: "v1"},
		"{digest: " + digest + "}": {Digest: digest},
	} {
		want.Image, want.Repository, want.Shows, want.Platforms = "jobs", address+"/etl/jobs", digest, []string{"linux/arm64"}
		got, err := app.Explain(t.Context(), imagesAt(t, address, track), "jobs", "test")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", track, diff)
		}
	}
	_, err := app.Explain(t.Context(), imagesAt(t, address, "{tag: v2}"), "jobs", "test")
	if problem.CodeOf(err) != problem.TagNotFound {
		t.Errorf("a tag that is not there: %v", err)
	}
}

func TestExplainASelection(t *testing.T) {
	t.Parallel()
	address, _ := tagServer(t, "1.4.0", "1.4.1", "latest", "1.5.0-rc.1")
	got, err := app.Explain(t.Context(), imagesAt(t, address, `{select: {include: '^\d+\.\d+\.\d+'}}`), "jobs", "test")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]bool)
	for _, tag := range got.Tags {
		taken[tag.Tag] = tag.Taken
		if tag.Reason == "" {
			t.Errorf("%s without a reason", tag.Tag)
		}
	}
	if diff := cmp.Diff(map[string]bool{"1.4.1": true, "1.4.0": false, "latest": false, "1.5.0-rc.1": false}, taken); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Tags[0] != (app.ExplainedTag{Tag: "1.4.1", Taken: true, Key: "1.4.1", Reason: "is the newest"}) {
		t.Errorf("%+v", got.Tags[0])
	}
}

func TestExplainWhatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := app.Explain(t.Context(), imagesAt(t, "127.0.0.1:1", "{select: {include: x}}"), "jobz", "test")
	if p := problem.From(err); p.Code != problem.ImageNotManaged || !strings.HasSuffix(p.Message, "nearest: jobs") || p.Mend != "it has jobs" {
		t.Errorf("%+v", p)
	}
	if _, err = app.Explain(t.Context(), load(t, ""), "jobs", "test"); problem.CodeOf(err) != problem.ImageNotManaged {
		t.Errorf("got %v", err)
	}
	if _, err = app.Explain(t.Context(), imagesAt(t, "127.0.0.1:1", "{select: {include: x}}"), "jobs", "test"); problem.CodeOf(err) != problem.RegistryUnavailable {
		t.Errorf("no registry: %v", err)
	}
}
