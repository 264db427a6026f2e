//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// Hosts whose disks are too small are told apart from others, and don't stop
// them: one where the engine finds out, one where nothing is tried.
func TestDisksThatAreTooSmall(t *testing.T) {
	t.Parallel()
	f := ownFleet(t, fleet.HostOptions{}, fleet.HostOptions{}, fleet.HostOptions{})
	remote, local := f.Hosts[1], f.Hosts[2]
	for _, h := range []*fleet.Host{remote, local} {
		small(t, f, h)
	}
	ref := repo(t) + ":latest"
	first := pushTo(t, f.Registry, ref, fleet.ProgramImage("one"))
	setup := prewarmtest.SetupOf(f, "", "")
	setup.Hosts[2] = "{name: " + local.Name + ", endpoint: " + local.Socket + "}"
	setup.Images = []string{fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s', promote: {when: any}}", f.Registry.Addr, repo(t))}
	b := newBenchOf(t, setup)
	b.allWarm(first)
	large := pushTo(t, f.Registry, ref, fleet.Image{Version: "large", Random: []int64{smallDisk}, Seed: 1})
	b.awaitCurrent(large)
	for host, why := range map[*fleet.Host]string{remote: "no space left on device", local: "the disk has"} {
		b.awaitState(host.Name, "failed")
		// It is tried again now and then, and is pulling meanwhile.
		await(t, fmt.Sprintf("status says %q of %s", why, host.Name), func() bool { return strings.Contains(b.mustCLI("status"), why) })
	}
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "large\n" {
		t.Errorf("ran %q", out)
	}
}

// smallDisk is the size of a small one, in bytes.
const smallDisk = 32 << 20

// small gives a host another, small disk. The fleet takes it away again.
func small(t *testing.T, f *fleet.Fleet, h *fleet.Host) {
	t.Helper()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", filepath.Join(f.Dir, h.Name, "data"), "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}
