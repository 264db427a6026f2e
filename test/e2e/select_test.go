//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
)

// Versions come one after the other; the newest two are warm, and each runs by
// its own tag.
func TestTheNewestTagsAreKeptWarm(t *testing.T) {
	t.Parallel()
	release := func(tag string) string { return push(t, repo(t)+":"+tag, fleet.ProgramImage(tag)) }
	release("1.2.0")
	release("1.10.0")
	release("nightly")
	push(t, repo(t)+":1.11.0-rc.1", fleet.ProgramImage("candidate"))
	b := newBench(t, fmt.Sprintf(`{name: jobs, repository: %s/%s, track: {select: {range: '>=1', newest: 2}}, watch: '@every 1s'}`,
		shared.Registry.Addr, repo(t)))
	b.mustCLI("check", "jobs")
	runs := func(name, version string) bool {
		r := b.cli("run", name, "--wait-warm", "2m", "--", "version")
		return r.code == 0 && r.stdout == version+"\n"
	}
	for name, version := range map[string]string{"jobs": "1.10.0", "jobs:1.10.0": "1.10.0", "jobs:1.2.0": "1.2.0"} {
		if !runs(name, version) {
			t.Errorf("%s is not %s", name, version)
		}
	}
	release("1.11.0")
	b.mustCLI("check", "jobs") // lists the tags now; by itself it does so at every tenth look
	await(t, "the new version is what the bare name means", func() bool { return runs("jobs", "1.11.0") })
	if !runs("jobs:1.10.0", "1.10.0") {
		t.Error("the second newest does not run by its tag")
	}
	await(t, "the third newest is not tracked any more", func() bool { return b.cli("run", "jobs:1.2.0").code == 125 })
	second := push(t, repo(t)+":1.10.0", fleet.ProgramImage("1.10.0 again"))
	await(t, "a tag of them that moves", func() bool { return runs("jobs:1.10.0", "1.10.0 again") })
	status := b.mustCLI("status")
	for _, want := range []string{"jobs:1.11.0", "jobs:1.10.0", second[:19]} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}

	t.Run("what was chosen is explained without a server", func(t *testing.T) {
		if err := b.Stop(); err != nil {
			t.Fatal(err)
		}
		explained := map[string]string{}
		for line := range strings.Lines(b.mustCLI("check", "jobs", "--explain", "-c", b.configFile())) {
			if fields := strings.Fields(line); len(fields) > 1 {
				explained[fields[0]] = strings.Join(fields[1:], " ")
			}
		}
		for tag, want := range map[string]string{
			"1.11.0": "yes 1.11.0 is the newest", "1.10.0": "yes 1.10.0 is number 2", "1.2.0": "no", "1.11.0-rc.1": "prerelease", "nightly": "version",
		} {
			if !strings.Contains(explained[tag], want) {
				t.Errorf("%s: %q does not say %q", tag, explained[tag], want)
			}
		}
	})
}
