//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// Behind a pull-through cache one host pulls first: the uplink carries an image
// once, whatever the number of hosts.
func TestAMirrorIsFilledOnce(t *testing.T) {
	t.Parallel()
	upstream := addRegistry(t, fleet.RegistryOptions{Name: "upstream", Gate: true})
	cache := addRegistry(t, fleet.RegistryOptions{Name: "cache", CacheOf: upstream})
	const size = 24 << 20
	img := func(version string, seed uint64) fleet.Image {
		return fleet.Image{Version: version, Random: slices.Repeat([]int64{size / 4}, 4), Seed: seed}
	}
	// Debian's registry asks twice for what it has not: for the client, and for
	// itself. So the measure is what one host costs.
	pushTo(t, upstream, "etl/other:latest", img("other", 1))
	upstream.Gate.Reset()
	docker(t, shared.Hosts[0], "pull", cache.Addr+"/etl/other:latest")
	once := settled(t, upstream)
	for _, h := range shared.Hosts { // what both images share is nobody's news
		docker(t, h, "pull", cache.Addr+"/etl/other:latest")
	}
	first := pushTo(t, upstream, "etl/jobs:latest", img("one", 2))
	upstream.Gate.Reset()
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Registries = []string{prewarmtest.Registry(upstream, "mirror: "+cache.Addr)}
	setup.Images = []string{"{name: jobs, repository: " + upstream.Addr + "/etl/jobs, watch: '@every 1s'}"}
	b := newBenchOf(t, setup)
	b.allWarm(first)
	// Half as much again is for a cache that was still storing a layer when the
	// others came; three hosts that come at once cost double.
	if sent := settled(t, upstream); once < size || 2*sent > 3*once {
		t.Errorf("upstream sent %d bytes for %d hosts, and %d for one", sent, len(shared.Hosts), once)
	}
	for _, h := range shared.Hosts {
		docker(t, h, "image", "inspect", upstream.Addr+"/etl/jobs@"+first)
		if left := docker(t, h, "images", "-q", cache.Addr+"/etl/jobs"); left != "" {
			t.Errorf("%s keeps the mirror's name of %s", h.Name, left)
		}
	}
	b.eachRuns(shared.Hosts...)

	t.Run("a mirror that is down", func(t *testing.T) {
		if err := cache.Stop(); err != nil {
			t.Fatal(err)
		}
		second := pushTo(t, upstream, "etl/jobs:latest", img("two", 3))
		b.allWarm(second)
		if out := b.mustCLI("run", "jobs", "--", "version"); out != "two\n" {
			t.Errorf("ran %q", out)
		}
	})
}

// settled gives the bytes of blobs that a registry sent, once it sends no more.
func settled(t *testing.T, r *fleet.Registry) int64 {
	t.Helper()
	counts, err := r.Gate.Quiet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counts.BlobBytes
}
