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
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/warmer"
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

// A digest has no schedule: until its registry has it, it is looked for again.
func TestADigestThatIsNotThereYetIsLookedForAgain(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	address, digest, asked := registryOf(t, &ready, http.StatusNotFound)
	r := start(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: jobs, repository: "%s/etl/jobs", track: {digest: "%s"}}
`, address, address, digest)))
	await(t, "the digest was looked for", func() bool { return asked.Load() >= 1 })
	ready.Store(true)
	await(t, "the digest was seen", func() bool {
		image, err := r.client.Image(t.Context(), "jobs")
		return err == nil && len(image.Tracks[0].Coming) == 1
	})
}

func TestWhatWasNewDuringAPauseIsLookedAtAfterIt(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	ready.Store(true)
	address, digest, _ := registryOf(t, &ready, http.StatusOK)
	c := load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: fixed, repository: "%s/etl/fixed", track: {digest: "%s"}}
  - {name: daily, repository: "%s/etl/daily", watch: "0 3 1 1 *"}
`, address, address, digest, address))
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), warmer.Change{Paused: []warmer.Pause{{What: warmer.Watching, Since: time.Now(), Who: "ana"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, c)
	if _, err := r.client.Resume(t.Context(), api.PauseRequest{What: "watching"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fixed", "daily"} {
		await(t, name+" is looked at", func() bool {
			i, err := r.client.Image(t.Context(), name)
			return err == nil && len(i.Tracks) == 1 && len(i.Tracks[0].Coming) == 1
		})
	}
}

// A tag that is not there is looked at by its schedule, no oftener and no
// seldomer.
func TestATagThatIsNotThereKeepsItsSchedule(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	address, _, asked := registryOf(t, &ready, http.StatusNotFound)
	begun := time.Now()
	start(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: jobs, repository: "%s/etl/jobs", watch: "@every 1s"}
  - {name: yearly, repository: "%s/etl/yearly", watch: "0 3 1 1 *"}
`, address, address, address)))
	// Each look at a missing tag is a HEAD and a GET.
	await(t, "eight looks", func() bool { return asked.Load() >= 2*8+2 })
	n, took := asked.Load(), time.Since(begun)
	if took > 30*time.Second || int(n) > 2*int(took/time.Second+3)+2 {
		t.Errorf("%d requests in %s", n, took)
	}
}

// A failure is told once, and tried again.
func TestARegistryThatIsDownIsToldOnce(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	address, _, asked := registryOf(t, &ready, http.StatusUnauthorized)
	r := start(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: yearly, repository: "%s/etl/yearly", watch: "0 3 1 1 *"}
`, address, address)))
	await(t, "it was tried again", func() bool { return asked.Load() >= 3 })
	ready.Store(true)
	await(t, "it is well", func() bool { return strings.Contains(r.log.String(), "tag looked at again") })
	if n := strings.Count(r.log.String(), "tag not looked at"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}
