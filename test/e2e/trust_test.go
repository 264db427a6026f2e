//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// Who decides what goes live: a person, a program, and the person again, all by
// the command line.
func TestTrustBeforeWarmth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, bad := filepath.Join(dir, "verify.sh"), filepath.Join(dir, "bad")
	forged := push(t, repo(t)+":elsewhere", fleet.ProgramImage("forged")) // to know its digest
	for file, text := range map[string]string{
		script: "#!/bin/sh\nif grep -qF \"${1#*@}\" " + bad + "; then echo \"no signature for $1\"; exit 3; fi\n",
		bad:    forged + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil { //nolint:gosec // one of them is a program
			t.Fatal(err)
		}
	}
	latest := repo(t) + ":latest"
	one := push(t, latest, fleet.ProgramImage("one"))
	b := newBench(t, fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s', approve: manual, verify: {command: [%s, '{{.Pin}}']}}",
		shared.Registry.Addr, repo(t), script))

	t.Run("a digest waits for a person", func(t *testing.T) {
		b.awaitHeld(one, "approval")
		b.cli("run", "jobs").expect(t, 125, "no current digest yet")
		for _, h := range shared.Hosts {
			if got := docker(t, h, "images", "-q", shared.Registry.Addr+"/"+repo(t)); got != "" {
				t.Errorf("%s has pulled what nobody approved: %s", h.Name, got)
			}
		}
		if status := b.mustCLI("status"); !strings.Contains(status, "held") || !strings.Contains(status, "approval") {
			t.Errorf("status does not say what it waits for:\n%s", status)
		}
		b.mustCLI("approve", "jobs", one[:19])
		b.allWarm(one)
	})
	t.Run("a digest that a program refuses", func(t *testing.T) {
		push(t, latest, fleet.ProgramImage("forged"))
		b.awaitHeld(forged, "verification_failed")
		b.cli("approve", "jobs", forged).expect(t, 1, forged[:19])
		if history := b.mustCLI("history", "jobs"); !strings.Contains(history, "exit code 3") {
			t.Errorf("history does not tell of the verification:\n%s", history)
		}
		if b.current() != one {
			t.Errorf("current is %s", b.current())
		}
	})
	two := push(t, latest, fleet.ProgramImage("two"))
	b.awaitHeld(two, "approval")
	b.mustCLI("approve", "jobs", two)
	b.allWarm(two)

	t.Run("back, and there again", func(t *testing.T) {
		if told := b.mustCLI("rollback", "jobs"); !strings.Contains(told, "rolled back jobs:latest to "+one[:19]) {
			t.Errorf("told: %s", told)
		}
		if out := b.mustCLI("run", "jobs", "--", "version"); out != "one\n" {
			t.Errorf("after the rollback %q runs", out)
		}
		b.mustCLI("check", "jobs") // the tag still shows what was gone back from
		if b.current() != one {
			t.Errorf("current is %s", b.current())
		}
		b.mustCLI("approve", "jobs", two)
		b.awaitCurrent(two)
	})
	t.Run("hold", func(t *testing.T) {
		b.mustCLI("hold", "jobs")
		three := push(t, latest, fleet.ProgramImage("three"))
		b.awaitHeld(three, "approval")
		b.mustCLI("approve", "jobs", three)
		await(t, "it is warm and waits", func() bool {
			image, err := b.client().Image(t.Context(), "jobs")
			if err != nil || len(image.Tracks[0].Coming) != 1 {
				return false
			}
			return !slices.ContainsFunc(image.Tracks[0].Coming[0].Hosts, func(h api.HostCopy) bool { return h.State != "warm" })
		})
		if b.current() != two {
			t.Errorf("current is %s", b.current())
		}
		b.mustCLI("unhold", "jobs")
		b.awaitCurrent(three)
	})
	history := decode[api.History](t, b.mustCLI("history", "jobs", "-o", "json"))
	var verbs []string
	for _, a := range history.Acts {
		verbs = append(verbs, a.Verb)
		if a.By == "" {
			t.Errorf("nobody is said to have done: %+v", a)
		}
	}
	slices.Reverse(verbs)
	if diff := cmp.Diff([]string{"approve", "approve", "rollback", "approve", "hold", "approve", "unhold"}, verbs); diff != "" {
		t.Errorf("acts (-want +got):\n%s", diff)
	}
}

// awaitHeld waits until a digest of jobs is held for that reason.
func (b *bench) awaitHeld(digest, reason string) {
	b.t.Helper()
	await(b.t, digest+" is held: "+reason, func() bool {
		image, err := b.client().Image(b.t.Context(), "jobs")
		return err == nil && slices.ContainsFunc(image.Tracks[0].Held, func(r api.Rollout) bool {
			return r.Digest == digest && slices.Contains(r.Holds, reason)
		})
	})
}
