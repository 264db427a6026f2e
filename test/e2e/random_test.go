//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// chaos is what happens to a fleet of its own, at random.
type chaos struct {
	*bench
	fleet   *fleet.Fleet
	setup   prewarmtest.Setup
	random  *rand.Rand
	repo    string
	pushed  []string          // digests, oldest first
	version map[string]string // what a digest prints
}

// Whatever happens, once the fleet is left alone it holds what the tag shows; on
// the way a run gets a digest that was pushed, and its own, or is refused. The
// warmer's property test does the same in controlled time, a thousand times.
func TestConvergesAfterAnything(t *testing.T) {
	t.Parallel()
	f, err := fleet.Up(t.Context(), fleet.Options{Hosts: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Down(); err != nil {
			t.Error(err)
		}
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &chaos{
		fleet: f, random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // chance, no secret
		repo: repo(t), version: make(map[string]string), setup: prewarmtest.SetupOf(f, "", ""),
	}
	c.setup.Images = []string{fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s', retag: true, keep: 1}", f.Registry.Addr, c.repo)}
	c.bench = newBenchOf(t, c.setup)
	c.push()
	c.allWarm(c.pushed[0])
	for range 24 {
		what := c.step()
		time.Sleep(time.Duration(c.random.IntN(1500)) * time.Millisecond)
		c.expectRun(what)
	}
	c.mustCLI("unhold", "jobs")
	last := c.push()
	await(t, "the fleet holds what the tag shows", func() bool { return c.current() == last })
	c.allWarm(last)
	for _, h := range f.Hosts {
		tags := strings.Fields(docker(t, h, "images", "--format", "{{.Tag}}", f.Registry.Addr+"/"+c.repo))
		if !slices.Contains(tags, "latest") || !slices.Contains(tags, "prewarm-"+strings.TrimPrefix(last, "sha256:")) {
			t.Errorf("%s has the tags %q", h.Name, tags)
		}
	}
	if out := c.mustCLI("run", "jobs", "--", "version"); out != c.version[last]+"\n" {
		t.Errorf("a run prints %q", out)
	}
}

func (c *chaos) push() string {
	c.t.Helper()
	version := fmt.Sprint("v", len(c.pushed)+1)
	digest := pushTo(c.t, c.fleet.Registry, c.repo+":latest", fleet.ProgramImage(version))
	c.pushed, c.version[digest] = append(c.pushed, digest), version
	return digest
}

// step does one thing and undoes it where it is a fault.
func (c *chaos) step() string {
	c.t.Helper()
	h := c.fleet.Hosts[c.random.IntN(len(c.fleet.Hosts))]
	ref := c.fleet.Registry.Addr + "/" + c.repo
	what, do := c.pick(map[string]func() error{
		"push": func() error { c.push(); return nil },
		"push back": func() error {
			return c.fleet.Registry.Tag(c.t.Context(), c.repo+"@"+c.pushed[c.random.IntN(len(c.pushed))], "latest")
		},
		"registry down": func() error {
			if err := c.fleet.Registry.Stop(); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return c.fleet.Registry.Start(c.t.Context())
		},
		"engine killed": func() error {
			if err := h.Kill(); err != nil {
				return err
			}
			return h.Start(c.t.Context())
		},
		"link cut": func() error {
			if err := h.Cut(); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			return h.Mend()
		},
		"foreign rmi": func() error {
			// What is in use, or not there, is refused: that is docker's affair.
			_ = exec.CommandContext(c.t.Context(), "sh", "-c", "docker -H "+h.Socket+" rmi $(docker -H "+h.Socket+" images -q "+ref+" | head -1)").Run()
			return nil
		},
		"foreign prune": func() error {
			_ = exec.CommandContext(c.t.Context(), "docker", "-H", h.Socket, "system", "prune", "-af").Run()
			return nil
		},
		"server killed": func() error {
			_ = c.Kill() // that it was killed is no news
			c.serve()
			return nil
		},
		"reload": func() error {
			c.setup.Limits = fmt.Sprintf("{pulls: %d}", 1+c.random.IntN(4))
			c.set(c.setup)
			return c.Reload()
		},
		"hold":     func() error { c.cli("hold", "jobs"); return nil },
		"unhold":   func() error { c.cli("unhold", "jobs"); return nil },
		"rollback": func() error { c.cli("rollback", "jobs"); return nil },
	})
	c.t.Logf("%s (%s)", what, h.Name)
	if err := do(); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	return what
}

// pick chooses one of the things that can happen.
func (c *chaos) pick(all map[string]func() error) (what string, do func() error) {
	names := slices.Sorted(maps.Keys(all)) // so that a seed means the same each time
	what = names[c.random.IntN(len(names))]
	return what, all[what]
}

// expectRun starts a run: it prints the version of a digest that was pushed, or
// nothing was executed.
func (c *chaos) expectRun(after string) {
	c.t.Helper()
	r := c.cli("run", "jobs", "--", "version")
	printed := strings.TrimSpace(r.stdout)
	known := false
	for _, version := range c.version {
		known = known || version == printed
	}
	switch {
	case r.code == 0 && known:
	case r.code == 125 && r.stdout == "":
	case r.code == 123: // its host went away under it
	default:
		c.t.Errorf("after %s: %s", after, r)
	}
}
