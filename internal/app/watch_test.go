package app_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// registryOf is a registry with one image for linux/amd64 without layers, whose
// manifest it shows once ready is true. Before that it answers status.
func registryOf(t *testing.T, ready *atomic.Bool, status int) (address, digest string, asked *atomic.Int32) {
	t.Helper()
	blob := `{"os":"linux","architecture":"amd64"}`
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%x","size":%d},"layers":[]}`,
		sha256.Sum256([]byte(blob)), len(blob))
	digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest)))
	asked = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/":
		case strings.Contains(r.URL.Path, "/blobs/"):
			_, _ = io.WriteString(w, blob)
		default:
			asked.Add(1)
			if !ready.Load() {
				w.WriteHeader(status)
				return
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", digest)
			_, _ = io.WriteString(w, manifest)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), digest, asked
}

func TestTheWatchGoesOnAfterErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNotFound, http.StatusUnauthorized} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var ready atomic.Bool
			address, digest, asked := registryOf(t, &ready, status)
			r := start(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: jobs, repository: "%s/etl/jobs", watch: "@every 1s"}
`, address, address)))
			await(t, "the tag was looked at again after an error", func() bool { return asked.Load() >= 2 })
			image, err := r.client.Image(t.Context(), "jobs")
			if err != nil || image.Tracks[0].CheckError == "" || len(image.Tracks[0].Coming) != 0 {
				t.Errorf("%+v %v", image, err)
			}
			ready.Store(true)
			await(t, "the digest was seen", func() bool {
				image, err := r.client.Image(t.Context(), "jobs")
				return err == nil && len(image.Tracks[0].Coming) == 1 && image.Tracks[0].Coming[0].Digest == digest && image.Tracks[0].CheckError == ""
			})
			if log := r.log.String(); !strings.Contains(log, "tag not looked at") {
				t.Errorf("nothing said of the errors:\n%s", log)
			}
		})
	}
}
