//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// A changed configuration takes effect while a run goes on and a pull is under
// way, and neither is dropped.
func TestReload(t *testing.T) {
	t.Parallel()
	slow := addRegistry(t, fleet.RegistryOptions{Name: "slow", Gate: true})
	one := pushTo(t, slow, "etl/jobs:latest", fleet.ProgramImage("one"))
	other := repo(t)
	more := push(t, other+":latest", fleet.ProgramImage("more"))
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Registries = append(setup.Registries, prewarmtest.Registry(slow))
	setup.HostsFile = filepath.Join(t.TempDir(), "hosts.yaml")
	third := setup.Hosts[2]
	setup.Hosts = setup.Hosts[:2]
	replace(t, setup.HostsFile, "hosts: []\n")
	setup.Images = []string{"{name: jobs, repository: " + slow.Addr + "/etl/jobs, watch: '@every 1s'}"}
	b := newBenchOf(t, setup)
	b.allWarm(one)

	const layer, uplink = 8 << 20, 1 << 18 // until the end would take a minute
	run := b.running("lines", "100", "100ms")
	slow.Gate.Limit(uplink)
	two := pushTo(t, slow, "etl/jobs:latest", fleet.Image{Version: "two", Random: []int64{layer}, Seed: 1})
	slow.Gate.Reset()
	await(t, "both hosts pull", func() bool { return b.pulling("jobs") == 2 })

	t.Run("an image and a host more", func(t *testing.T) {
		replace(t, setup.HostsFile, "hosts: ["+third+"]\n")
		setup.Images = append(setup.Images, fmt.Sprintf("{name: more, repository: %s/%s, watch: '@every 1s'}", shared.Registry.Addr, other))
		b.set(setup)
		await(t, "the new image is warm on all three", func() bool {
			image, err := b.client().Image(t.Context(), "more")
			return err == nil && len(image.Tracks) == 1 && image.Tracks[0].Current != nil && image.Tracks[0].Current.Digest == more &&
				len(image.Tracks[0].Current.Hosts) == 3
		})
		if n := b.pulling("jobs"); n < 2 {
			t.Errorf("%d hosts still pull: the uplink is not slow enough for this test to tell anything", n)
		}
		if out := b.mustCLI("run", "more", "--", "version"); out != "more\n" {
			t.Errorf("ran %q", out)
		}
	})
	t.Run("a configuration that is wrong", func(t *testing.T) {
		replace(t, b.configFile(), "hosts: [{name: etl-1, endpoint: nonsense}]\n")
		b.awaitLogged("refused")
		b.awaitLogged("hosts[0].endpoint")
		if out := b.mustCLI("run", "more", "--", "version"); out != "more\n" {
			t.Errorf("ran %q", out)
		}
		b.set(setup)
	})
	t.Run("SIGHUP", func(t *testing.T) {
		b.awaitLogged("nothing changed") // the configuration that is in force came back
		b.log.reset()
		if err := b.Reload(); err != nil {
			t.Fatal(err)
		}
		b.awaitLogged("nothing changed")
	})
	t.Run("the pulls went on", func(t *testing.T) {
		slow.Gate.Limit(0)
		b.allWarm(two)
		// Three hosts, and not a layer more than once to any of them.
		if sent := slow.Gate.Counts().BlobBytes; sent > 10*layer/3 {
			t.Errorf("%d bytes were sent to three hosts, of an image of %d", sent, layer)
		}
	})
	t.Run("the run went on", func(t *testing.T) {
		if ended := b.ended(run.ID); ended.State != "succeeded" {
			t.Errorf("recorded %+v", ended)
		}
		lines := 0
		if err := b.client().Logs(t.Context(), run.ID, 0, true, func(api.LogLine) error { lines++; return nil }); err != nil || lines != 100 {
			t.Errorf("%d lines, %v", lines, err)
		}
	})
}

// pulling counts the hosts that pull an image now.
func (b *bench) pulling(image string) int {
	b.t.Helper()
	found, err := b.client().Image(b.t.Context(), image)
	if err != nil || len(found.Tracks) == 0 {
		return 0
	}
	n := 0
	for _, r := range found.Tracks[0].Coming {
		n += len(slices.DeleteFunc(r.Hosts, func(h api.HostCopy) bool { return h.State != "pulling" }))
	}
	return n
}
