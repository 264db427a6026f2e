package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/schedule"
)

func TestPruneFor(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, write(t, `
hosts:
  - {name: plain, endpoint: unix:///a}
  - {name: etl, endpoint: unix:///b, labels: {pool: etl}}
  - {name: gpu, endpoint: unix:///c, labels: {pool: etl, gpu: a100}}
images:
  - {name: as-its-host, repository: node}
  - {name: other, repository: deno, prune: {min_age: 0, unused_for: 6h, keep_min: 2}}
  - {name: few, repository: bun, keep: 0}
prune:
  unused_for: 24h
  protect: [r.test/base/*]
  max_removals: 9
  dry_run: true
  hosts:
    - {labels: {pool: etl}, min_age: 1h, keep_min: 0, protect: ['debian:*', r.test/base/*], unmanaged: lru, max_removals: 0, dry_run: false}
    - {labels: {pool: etl, gpu: a100}, min_age: 2h, unused_for: 0s, keep_min: 3, protect: ['cuda:*'], unmanaged: dangling}
`))
	rules := PruneRules{MinAge: 24 * time.Hour, UnusedFor: 24 * time.Hour, KeepMin: 1}
	for i, want := range []PrunePolicy{
		{Rules: rules, Protect: mustPatterns(t, "r.test/base/*"), Unmanaged: UnmanagedKeep, MaxRemovals: 9, DryRun: true},
		{
			Rules: PruneRules{MinAge: time.Hour, UnusedFor: 24 * time.Hour}, Protect: mustPatterns(t, "r.test/base/*", "docker.io/library/debian:*"),
			Unmanaged: UnmanagedLRU,
		},
		{
			Rules: PruneRules{MinAge: 2 * time.Hour, KeepMin: 3}, Protect: mustPatterns(t, "r.test/base/*", "docker.io/library/debian:*", "docker.io/library/cuda:*"),
			Unmanaged: UnmanagedDangling,
		},
	} {
		if diff := cmp.Diff(want, c.PruneFor(c.Hosts[i]), comparers()); diff != "" {
			t.Errorf("policy of %s (-want +got):\n%s", c.Hosts[i].Name, diff)
		}
	}
	if diff := cmp.Diff(PrunePolicy{Rules: rules, Protect: mustPatterns(t, "r.test/base/*"), Unmanaged: UnmanagedKeep, MaxRemovals: 9, DryRun: true}, c.Prune.Policy, comparers()); diff != "" {
		t.Errorf("asking for hosts changed the policy of all (-want +got):\n%s", diff)
	}
	for _, w := range []struct {
		host, image int
		want        PruneRules
	}{
		{0, 0, rules},
		{0, 1, PruneRules{UnusedFor: 6 * time.Hour, KeepMin: 2}},
		{2, 0, PruneRules{MinAge: 2 * time.Hour, KeepMin: 2}}, // no more than keep
		{2, 1, PruneRules{UnusedFor: 6 * time.Hour, KeepMin: 2}},
		{2, 2, PruneRules{MinAge: 2 * time.Hour}},
	} {
		if got := c.PruneFor(c.Hosts[w.host]).For(c.Images[w.image]); got != w.want {
			t.Errorf("%s on %s: %+v, want %+v", c.Images[w.image].Name, c.Hosts[w.host].Name, got, w.want)
		}
	}
}

// The defaults are those of a host that nothing is said of.
func TestPruneForDefault(t *testing.T) {
	t.Parallel()
	want := PrunePolicy{Rules: PruneRules{MinAge: 24 * time.Hour, KeepMin: 1}, Unmanaged: UnmanagedKeep}
	if diff := cmp.Diff(want, Default().PruneFor(Host{})); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	if got := Default().Prune.Schedule.String(); got != defaultPruneSchedule {
		t.Errorf("schedule is %q", got)
	}
}

func TestPruneOfTheEnvironment(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, write(t, "hosts: [{name: a, endpoint: unix:///a, labels: {pool: etl}}]\nprune: {schedule: '@daily', keep_min: 4, protect: ['a:*'], hosts: []}"),
		"PREWARM_PRUNE_SCHEDULE=off", "PREWARM_PRUNE_WINDOWS=[{days: sat}]", "PREWARM_PRUNE_MIN_AGE=1h", "PREWARM_PRUNE_UNUSED_FOR=2h", "PREWARM_PRUNE_KEEP_MIN=0",
		"PREWARM_PRUNE_PROTECT=[]", "PREWARM_PRUNE_UNMANAGED=lru", "PREWARM_PRUNE_MAX_REMOVALS=7", "PREWARM_PRUNE_DRY_RUN=true",
		`PREWARM_PRUNE_HOSTS=[{"labels": {"pool": "etl"}, "keep_min": 0, "dry_run": false}]`).Prune
	want := Prune{
		Windows: schedule.Windows{mustWindow(t, schedule.WindowOptions{Days: "sat"})},
		Policy:  PrunePolicy{Rules: PruneRules{MinAge: time.Hour, UnusedFor: 2 * time.Hour}, Unmanaged: UnmanagedLRU, MaxRemovals: 7, DryRun: true},
		Hosts:   []PruneHosts{{Labels: map[string]string{"pool": "etl"}, Rules: RuleChanges{KeepMin: new(0)}, DryRun: new(false)}},
	}
	if diff := cmp.Diff(want, got, comparers()); diff != "" {
		t.Errorf("prune (-want +got):\n%s", diff)
	}
}

// The hosts of a file come and go, so an entry may be about hosts of later.
func TestPruneOfHostsOfAFile(t *testing.T) {
	t.Parallel()
	mustLoad(t, writeExample(t, "hosts_file: hosts.yaml\nprune: {hosts: [{labels: {pool: gpu}, min_age: 1h}]}"))
}

func TestDiffOfWhatIsLaidOver(t *testing.T) {
	t.Parallel()
	const text = "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: jobs, repository: node, prune: {keep_min: "
	got := Diff(mustLoad(t, write(t, text+"0}}]")), mustLoad(t, write(t, text+"2}}]")))
	if diff := cmp.Diff([]string{"images jobs: prune.keep_min 0 -> 2"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
