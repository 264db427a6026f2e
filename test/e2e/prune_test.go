//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// atOnce lets images go as soon as nothing wants them, and only when asked.
const atOnce = "{schedule: 'off', min_age: 0s, keep_min: 0}"

// prunable is a server on which nothing is pruned but by hand, for an image that
// keeps so many superseded digests.
func prunable(t *testing.T, f *fleet.Fleet, keep int) *bench {
	t.Helper()
	setup := prewarmtest.SetupOf(f, "", "")
	setup.Prune = atOnce
	setup.Images = []string{fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s', keep: %d}", f.Registry.Addr, repo(t), keep)}
	return newBenchOf(t, setup)
}

// releases pushes versions one after the other and waits until each is current
// and warm everywhere.
func (b *bench) releases(f *fleet.Fleet, versions ...string) (digests []string) {
	b.t.Helper()
	for _, v := range versions {
		digest := pushTo(b.t, f.Registry, repo(b.t)+":latest", own(b.t, v))
		b.allWarm(digest)
		digests = append(digests, digest)
	}
	return digests
}

// own is a version with a content of the test's own: the same content in another
// test's repository would be one image on the engines that they share, and stay.
func own(t *testing.T, version string) fleet.Image {
	return fleet.ProgramImage(repo(t) + "-" + version)
}

// holdings are those of the digests that an engine holds.
func holdings(t *testing.T, f *fleet.Fleet, h *fleet.Host, digests []string) string {
	t.Helper()
	all := docker(t, h, "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}")
	var held []string
	for i, d := range digests {
		if strings.Contains(all, f.Registry.Addr+"/"+repo(t)+"@"+d) {
			held = append(held, fmt.Sprint(i+1))
		}
	}
	return strings.Join(held, " ")
}

// expectHoldings wants these of the digests, by their numbers, on each host.
func expectHoldings(t *testing.T, f *fleet.Fleet, digests []string, want string) {
	t.Helper()
	for _, h := range f.Hosts {
		if got := holdings(t, f, h, digests); got != want {
			t.Errorf("%s holds %q, want %q", h.Name, got, want)
		}
	}
}

// What nothing wants goes, from real engines, and what a run, a scope or
// somebody's container wants stays until it does no more. Other installations
// share these engines: theirs stays.
func TestPrune(t *testing.T) {
	t.Parallel()
	pruneStory(t, shared)
}

func pruneStory(t *testing.T, f *fleet.Fleet) {
	b := prunable(t, f, 1)
	digests := b.releases(f, "one", "two")
	scoped, err := b.client().Submit(t.Context(), api.SubmitRun{Image: "jobs", PinScope: "dag", Command: []string{"version"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	b.ended(scoped.ID)
	digests = append(digests, b.releases(f, "three")...)
	long := b.running("sleep", "1h")
	digests = append(digests, b.releases(f, "four", "five")...)
	// 5 is current, 4 is kept, 3 runs, 2 is in the scope.
	theirs := f.Registry.Addr + "/" + repo(t) + "@" + digests[0]
	docker(t, f.Hosts[0], "create", "--name", repo(t), theirs, "version")
	dry := decode[api.Passes](t, b.mustCLI("prune", "--dry-run", "-o", "json"))
	expectHoldings(t, f, digests, "1 2 3 4 5")
	if len(dry.Passes) != len(f.Hosts) {
		t.Errorf("%d passes", len(dry.Passes))
	}
	b.mustCLI("prune")
	for i, h := range f.Hosts {
		want := "2 3 4 5"
		if i == 0 {
			want = "1 2 3 4 5"
		}
		if got := holdings(t, f, h, digests); got != want {
			t.Errorf("%s holds %q, want %q", h.Name, got, want)
		}
	}
	for digest, words := range map[string]string{digests[0]: "container", digests[1]: "pin scope dag", digests[2]: "run " + long.ID, digests[3]: "rollback", digests[4]: "current"} {
		if out := b.mustCLI("explain", f.Hosts[0].Name, "jobs@"+digest); !strings.Contains(out, words) {
			t.Errorf("explain of %s does not say %q:\n%s", digest, words, out)
		}
	}
	docker(t, f.Hosts[0], "rm", repo(t))
	if _, err := b.client().Cancel(t.Context(), long.ID); err != nil {
		t.Fatal(err)
	}
	b.ended(long.ID)
	b.mustCLI("scope", "end", "dag")
	await(t, "the rest is gone, once the ended containers are", func() bool {
		b.mustCLI("prune")
		return !slices.ContainsFunc(f.Hosts, func(h *fleet.Host) bool { return holdings(t, f, h, digests) != "4 5" })
	})
	if out := b.mustCLI("prune"); strings.Contains(out, "superseded beyond") {
		t.Errorf("a third pass says:\n%s", out)
	}
	b.mustCLI("rollback", "jobs")
	if out := b.mustCLI("run", "jobs", "--", "version"); out != repo(t)+"-four\n" {
		t.Errorf("ran %q", out)
	}
	for verb, words := range map[string]string{"images": "jobs", "df": f.Hosts[0].Name, "prunes": "FOR"} {
		if out := b.mustCLI(verb); !strings.Contains(out, words) {
			t.Errorf("%s does not say %q:\n%s", verb, words, out)
		}
	}
}

// While images come, go and are pruned without a pause, no run fails for an image,
// whoever else makes containers of them.
func TestPruneRaces(t *testing.T) {
	t.Parallel()
	pruneRaces(t, shared, 120)
}

func pruneRaces(t *testing.T, f *fleet.Fleet, runs int) {
	b := prunable(t, f, 1)
	b.releases(f, "0")
	done := make(chan struct{})
	var others errgroup.Group
	until := func(do func(n int) error) {
		others.Go(func() error {
			for n := 1; ; n++ {
				select {
				case <-done:
					return nil
				default:
				}
				if err := do(n); err != nil {
					return err
				}
			}
		})
	}
	until(func(n int) error {
		if _, err := f.Registry.Push(t.Context(), repo(t)+":latest", own(t, fmt.Sprint(n))); err != nil {
			return err
		}
		_, err := b.client().Check(t.Context(), "jobs")
		return err
	})
	until(func(int) error {
		passes, err := b.client().Prune(t.Context(), api.PruneRequest{FreeBytes: 1 << 40}, false)
		for _, p := range passes.Passes {
			if p.Stopped != "" {
				return fmt.Errorf("a pass on %s stopped: %s", p.Host, p.Stopped)
			}
		}
		return err
	})
	until(func(n int) error {
		image, err := b.client().Image(t.Context(), "jobs")
		if err != nil {
			return err
		}
		pin := f.Registry.Addr + "/" + repo(t) + "@" + image.Tracks[0].Current.Digest
		h := f.Hosts[n%len(f.Hosts)]
		out, err := exec.CommandContext(t.Context(), "docker", "-H", h.Socket, "run", "--rm", "--network", "none", "--pull", "never", pin, "version").CombinedOutput()
		if err != nil && !strings.Contains(string(out), "No such image") { // it was promoted before all hosts had it
			return fmt.Errorf("docker run %s on %s: %w: %s", pin, h.Name, err, out)
		}
		return nil
	})
	var own errgroup.Group
	own.SetLimit(4)
	for n := range runs {
		own.Go(func() error {
			ask := api.SubmitRun{Image: "jobs", Network: "none", Command: []string{"version"}}
			if n%3 == 0 {
				ask.PinScope = fmt.Sprint("scope-", n/12)
			}
			submitted, err := b.client().Submit(t.Context(), ask, "")
			if err != nil {
				return fmt.Errorf("run %d: %w", n, err)
			}
			run, err := b.client().Wait(t.Context(), submitted.ID, patience)
			if err == nil && run.State != "succeeded" {
				err = fmt.Errorf("run %d: %s %s %s", n, run.State, run.Reason, run.Detail)
			}
			return err
		})
	}
	if err := own.Wait(); err != nil {
		t.Error(err)
	}
	close(done)
	if err := others.Wait(); err != nil {
		t.Error(err)
	}
	passes, err := b.client().Prunes(t.Context(), "", 1000)
	removed := 0
	for _, p := range passes.Passes {
		for _, r := range p.Removals {
			if r.Outcome == "removed" {
				removed++
			}
		}
	}
	if err != nil || removed == 0 {
		t.Errorf("%d images were removed meanwhile: %v", removed, err)
	}
	t.Logf("%d runs beside %d passes that removed %d images", runs, len(passes.Passes), removed)
}

// A server that is killed in a removal says so later, refuses no run for it, and
// finishes it with the next pass.
func TestKilledInAPass(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"prune.removing", "prune.removed"} {
		t.Run(point, func(t *testing.T) {
			b := prunable(t, shared, 0)
			digests := b.releases(shared, "one", "two", "three")
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			b.serve(prewarmtest.DieAt(point + ":2"))
			b.allWarm(digests[2])
			_, _ = b.client().Prune(t.Context(), api.PruneRequest{Hosts: []string{shared.Hosts[0].Name}}, false) // it dies
			if err := b.AwaitDeath(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.serve()
			b.allWarm(digests[2])
			if out := b.mustCLI("run", "jobs", "--", "version"); out != repo(t)+"-three\n" {
				t.Errorf("ran %q", out)
			}
			if out := b.mustCLI("prunes"); !strings.Contains(out, "cut short") {
				t.Errorf("prunes says nothing of it:\n%s", out)
			}
			b.mustCLI("prune")
			expectHoldings(t, shared, digests, "3")
		})
	}
}

// A disk that gets full is emptied of what may go before each pull, down to what
// is kept for a rollback at least, and where somebody else fills it the pull says
// what holds the space, and succeeds once there is some.
func TestPullsMakeRoom(t *testing.T) {
	t.Parallel()
	f := ownFleet(t, fleet.HostOptions{})
	h := f.Hosts[0]
	small(t, f, h)
	const layer = 3 << 20
	versions := 0
	push := func() string {
		versions++
		return pushTo(t, f.Registry, repo(t)+":latest", fleet.Image{Version: fmt.Sprint(versions), Random: []int64{layer}, Seed: uint64(versions)})
	}
	first := push()
	setup := prewarmtest.SetupOf(f, "", "")
	setup.Hosts = []string{"{name: " + h.Name + ", endpoint: " + h.Socket + ", disk: {high: 90%, low: 50%}}"}
	setup.Prune = "{schedule: 'off', min_age: 0s, keep_min: 1}"
	setup.Images = []string{fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s', keep: 20}", f.Registry.Addr, repo(t))}
	b := newBenchOf(t, setup)
	b.allWarm(first)
	for range 14 { // some 10 fit
		b.allWarm(push())
	}
	passes, err := b.client().Prunes(t.Context(), h.Name, 100)
	if err != nil || len(passes.Passes) == 0 {
		t.Fatalf("no pass was made: %v", err)
	}
	trigger, went := "", 0
	for _, p := range passes.Passes {
		trigger += p.Trigger + " "
		for _, r := range p.Removals {
			if r.Rule != "kept_for_rollback" || r.Outcome != "removed" {
				t.Errorf("%+v", r)
			}
			went++
		}
	}
	t.Logf("%d images went in %d passes: %s", went, len(passes.Passes), trigger)
	b.mustCLI("rollback", "jobs") // at least one digest is there to go back to
	if out := b.mustCLI("run", "jobs", "--", "version"); out != fmt.Sprintln(versions-1) {
		t.Errorf("ran %q", out)
	}
	file, err := prewarmtest.Fill(filepath.Join(f.Dir, h.Name, "data"))
	if err != nil {
		t.Fatal(err)
	}
	last := push()
	b.awaitLogged("nothing more may go")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	b.allWarm(last)
}
