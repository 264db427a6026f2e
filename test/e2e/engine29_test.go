//go:build e2e && engine29

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
)

// Old and new engines, both image stores, in one fleet: warmed, run and mended
// alike.
func TestAMixedFleet(t *testing.T) {
	t.Parallel()
	f, repo := ownFleet(t, fleet.HostOptions{}, fleet.HostOptions{Engine: fleet.Engine29}, fleet.HostOptions{Engine: fleet.Engine29Classic}), repo(t)
	release := func(version string) string {
		t.Helper()
		return pushTo(t, f.Registry, repo+":latest", fleet.Image{Version: version, Index: true})
	}
	first := release("one")
	repository := f.Registry.Addr + "/" + repo
	b := newBenchOn(t, f, fmt.Sprintf("{name: jobs, repository: %s, watch: '@every 1s', keep: 1, retag: true}", repository))
	b.allWarm(first)
	b.eachRuns(f.Hosts...)

	keepTag := func(digest string) string { return repository + ":prewarm-" + strings.TrimPrefix(digest, "sha256:") }
	holds := func(h *fleet.Host, ref string) bool {
		return docker(t, h, "images", "-q", "--filter", "reference="+ref) != ""
	}
	t.Run("foreign hands", func(t *testing.T) {
		for _, h := range f.Hosts {
			docker(t, h, "rmi", repository+":latest")
			docker(t, h, "image", "prune", "-f")
			docker(t, h, "image", "inspect", repository+"@"+first)
			docker(t, h, "image", "prune", "-a", "-f")
		}
		for _, h := range f.Hosts {
			await(t, h.Name+" is warm again", func() bool { return holds(h, keepTag(first)) })
		}
		b.allWarm(first)
		b.eachRuns(f.Hosts...)
	})
	second := release("two")
	b.allWarm(second)
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "two\n" {
		t.Errorf("ran %q", out)
	}
	// plain tells whether docker run REPO:TAG would get that version.
	plain := func(h *fleet.Host, version string) bool {
		env := docker(t, h, "image", "inspect", "--format", "{{.Config.Env}}", repository+":latest")
		return strings.Contains(env, "PROGRAM_VERSION="+version+"]")
	}
	for _, h := range f.Hosts {
		await(t, h.Name+" has the tag of the second", func() bool { return holds(h, repository+":latest") && plain(h, "two") })
	}
	t.Run("back, without a pull", func(t *testing.T) {
		if err := f.Registry.Stop(); err != nil {
			t.Fatal(err)
		}
		b.mustCLI("rollback", "jobs")
		if out := b.mustCLI("run", "jobs", "--", "version"); out != "one\n" {
			t.Errorf("ran %q", out)
		}
		for _, h := range f.Hosts {
			await(t, h.Name+" has the tag of the first", func() bool { return plain(h, "one") })
		}
	})
}

// Images go alike from old and new engines and from both image stores.
func TestPruneOnAMixedFleet(t *testing.T) {
	t.Parallel()
	pruneStory(t, ownFleet(t, fleet.HostOptions{}, fleet.HostOptions{Engine: fleet.Engine29}, fleet.HostOptions{Engine: fleet.Engine29Classic}))
}
