package metrics

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the documents anew")

// same compares a committed file with what it should be now.
func same(t *testing.T, file, now string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), now); diff != "" {
		t.Errorf("%s is out of date; make generate writes it anew (-committed +now):\n%s", file, diff)
	}
}

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

var errTest = errors.New("it failed")

// pinOf gives one of several digests of a repository.
func pinOf(t testing.TB, repository string, n int) registry.Pin {
	t.Helper()
	digit := string("0123456789abcdef"[n%16])
	pin, err := registry.ParsePin(repository + "@sha256:" + strings.Repeat(digit, 64))
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

// still is a fleet that stands still.
type still struct {
	images []warmer.ImageCount
	hosts  []warmer.HostCount
	use    map[string]runner.HostUse
	stats  runner.Stats
	status []registry.Status
}

func (s *still) ImageCounts() []warmer.ImageCount { return s.images }

func (s *still) HostCounts() []warmer.HostCount { return s.hosts }

func (s *still) Hosts() map[string]runner.HostUse { return s.use }

func (s *still) Stats() runner.Stats { return s.stats }

func (s *still) Statuses() []registry.Status { return s.status }

func (s *still) sources() Sources { return Sources{Warmth: s, Runs: s, Registries: s} }

// small is a fleet of two hosts of the configuration and one that left it, where
// everything that can be told is.
func small() Sources {
	s := &still{
		images: []warmer.ImageCount{
			{Image: "jobs", Wanted: 2, Warm: 1, Unreached: 1, Held: 1, Coming: 2, Stopped: true, Promoted: noon},
			{Image: "gone", Wanted: 9},
		},
		hosts: []warmer.HostCount{
			{Name: "a", Contact: warmer.Reachable, Pulling: 1, Pulls: 2, Disk: warmer.Disk{Free: 40, Total: 100}, High: 85, Images: 30, Budget: 50},
			{Name: "b", Contact: warmer.Unreachable, Pulls: 2, Paused: true, Drained: true, Images: -1},
			{Name: "left", Contact: warmer.Reachable},
		},
		use: map[string]runner.HostUse{"a": {InUse: 3, Slots: 8, Unclaimed: []string{"x"}}, "b": {Slots: 8}, "left": {InUse: 1}},
		stats: runner.Stats{
			By: map[runner.State]int{runner.Queued: 4, runner.Running: 3}, Oldest: noon.Add(time.Minute), Unreachable: 1, Unattended: 2, Owed: 3,
		},
		status: []registry.Status{
			{Name: "docker.io", Requests: map[registry.Outcome]int64{registry.Answered: 7, registry.Limited: 2}, Quota: registry.Quota{Limit: 100, Remaining: 12, Seen: noon}, ClosedUntil: noon},
			{Name: "quiet.example.com", Requests: map[registry.Outcome]int64{registry.NoAnswer: 1}},
			{Name: "elsewhere.example.com"},
		},
	}
	from := s.sources()
	from.Routes = func() []Route {
		return []Route{{Name: "ops", Waiting: 2, Oldest: noon, Delivered: 5, Failed: 1}, {Name: "idle"}}
	}
	from.Hooks = func() []Hook {
		return []Hook{{Name: "harbor", Verdicts: map[string]int64{"accepted": 3, "refused": 1}}}
	}
	from.Certificates = func() []Certificate {
		return []Certificate{{Of: "server", Ends: noon}, {Of: "host", Name: "a", Ends: noon.Add(time.Hour)}}
	}
	from.Configuration = func() Configuration { return Configuration{Taken: 2, Refused: 1, Stands: true} }
	from.Backup = func() Backup { return Backup{Made: noon, Bytes: 1 << 30, Took: time.Minute} }
	return from
}

// lived is a Metrics to which all that there is has happened once.
func lived(t testing.TB) *Metrics {
	t.Helper()
	m := New("test")
	m.Watch(small())
	m.Use(Names{Images: []string{"jobs"}, Hosts: []string{"a", "b"}, Registries: []string{"docker.io", "quiet.example.com"}})
	pin := pinOf(t, "docker.io/etl/jobs", 1)
	m.Pulled("a", "jobs", pin, 30*time.Second, 1<<20, nil)
	m.Pulled("b", "jobs", pin, time.Second, 0, errTest)
	m.Promoted("jobs", 45*time.Second)
	m.Looked("jobs", "webhook", nil)
	m.Repaired("a")
	m.Pruned("a", 3, 1<<30, nil)
	m.Reconciled(2 * time.Millisecond)
	m.Submitted("jobs", false)
	m.Submitted("jobs", true)
	run := runner.Run{Image: "jobs", Host: "a", Pin: pin, State: runner.Succeeded, Submitted: time.Now().Add(time.Hour)}
	m.Started(run, 80*time.Millisecond)
	m.FirstLine(run, 300*time.Millisecond)
	m.Ended(run)
	m.Lagged("a", 1500*time.Millisecond)
	return m
}
