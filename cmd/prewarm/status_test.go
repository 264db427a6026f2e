package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
)

// golden compares with a file in testdata, and rewrites it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); go test -update rewrites it:\n%s", path, diff)
	}
}

var noon = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.Local)

func ago(d time.Duration) *time.Time {
	at := noon.Add(-d)
	return &at
}

// busyFleet has every state that status can meet.
func busyFleet() fleetStatus {
	const old, fresh = "sha256:1111111111111111", "sha256:2222222222222222"
	unreachable := "probe on host etl-4: dial tcp 10.0.0.14:2375: connect: connection refused"
	lost := api.HostCopy{Host: "etl-4", State: "unreachable", Reason: unreachable}
	twin := api.HostCopy{Host: "etl-5", State: "duplicate_engine", Reason: "the same engine as [etl-1]: keep one of the entries"}
	noPlatform := api.HostCopy{Host: "etl-5", State: "no_platform", Reason: "the image has nothing for linux/arm64"}
	return fleetStatus{
		Hosts: []api.Host{
			{
				Name: "etl-1", Contact: "reachable", Engine: "20.10.24", ImageStore: "classic", Platform: "linux/amd64", Pulls: 2, Running: 1, Runs: 8,
				Disk: &api.Disk{Free: 12_500_000_000, Total: 100_000_000_000}, Drift: api.Drift{Total: 9, LastHour: 5, LastAt: ago(time.Minute)},
			},
			{
				Name: "etl-2", Contact: "reachable", Engine: "29.0.1", ImageStore: "containerd", Platform: "linux/amd64", Pulling: 1, Pulls: 2, Runs: 8,
				Drift: api.Drift{Total: 2}, ClockOffset: -1.9,
			},
			{
				Name: "etl-3", Contact: "reachable", Engine: "29.0.1", ImageStore: "containerd", Platform: "linux/arm64", Pulls: 2, Runs: 16,
				Paused: true, ClockOffset: -75, Drift: api.Drift{Total: 1, LastHour: 1, LastAt: ago(time.Minute)},
			},
			{Name: "etl-4", Contact: "unreachable", Reason: unreachable, Pulls: 2, Runs: 8},
			{Name: "etl-5", Contact: "duplicate_engine", Engine: "20.10.24", ImageStore: "classic", Platform: "linux/amd64", Pulls: 2, Runs: 8},
		},
		Images: []api.Image{
			{Name: "node-jobs", Tracks: []api.Track{{
				Tag: "latest", SupersededBytes: map[string]int64{"etl-1": 432_100_000, "etl-2": 216_000_000},
				Current: &api.Rollout{Digest: old, Phase: "current", SeenAt: *ago(50 * time.Hour), PromotedAt: ago(49 * time.Hour), Hosts: []api.HostCopy{
					{Host: "etl-1", State: "warm"}, {Host: "etl-2", State: "warm"}, {Host: "etl-3", State: "warm"}, lost, twin,
				}},
				Coming: []api.Rollout{{Digest: fresh, Phase: "warming", SeenAt: *ago(90 * time.Second), Hosts: []api.HostCopy{
					{Host: "etl-1", State: "warm"},
					{Host: "etl-2", State: "pulling", RateBytes: 4_200_000, RemainingSeconds: 38.571, Progress: &api.Progress{Bytes: 54_000_000, TotalBytes: 216_000_000, Layers: 4, LayersDone: 1}},
					{Host: "etl-3", State: "failed", Reason: "pull: no space left on device", Attempts: 3, NextTry: ago(-time.Minute)},
					lost, twin,
				}}},
			}}},
			{Name: "frozen", Tracks: []api.Track{{
				Current: &api.Rollout{Digest: old, Phase: "current", SeenAt: *ago(time.Minute), PromotedAt: ago(time.Second), Hosts: []api.HostCopy{
					{Host: "etl-2", State: "pulling", Progress: &api.Progress{Bytes: 1_500_000}}, {Host: "etl-3", State: "waiting"}, noPlatform,
				}},
			}}},
			{Name: "missing", Tracks: []api.Track{{Tag: "v1", CheckError: "resolve registry.example.com/missing:v1: the registry knows no such tag"}}},
			chosenTags(old, fresh),
			{Name: "nothing", Tracking: api.Tracking{Mode: "select", ListedAt: ago(time.Minute)}},
			{Name: "unlisted", Tracking: api.Tracking{Mode: "select", ListedAt: ago(time.Minute), ListError: "list the tags of registry.example.com/unlisted: denied"}},
		},
		Pauses: []api.Pause{
			{What: "watching", Since: *ago(time.Hour)},
			{What: "warming", Host: "etl-3", Since: *ago(time.Hour), By: "ada@laptop"},
		},
	}
}

// chosenTags is an image with three tags: one has a digest that somebody has to
// approve, one a digest that was refused, and one leaves.
func chosenTags(old, fresh string) api.Image {
	on := func(state string) []api.HostCopy { return []api.HostCopy{{Host: "etl-1", State: state}} }
	current := func() *api.Rollout {
		return &api.Rollout{Digest: old, Phase: "current", SeenAt: *ago(time.Hour), PromotedAt: ago(time.Hour), Hosts: on("warm")}
	}
	return api.Image{
		Name: "chosen", HeldAt: ago(10 * time.Minute), HeldBy: "ada@laptop",
		Tracking: api.Tracking{Mode: "select", Chosen: []string{"1.4.2", "1.4.1"}, ListedAt: ago(time.Minute)},
		Tracks: []api.Track{
			{
				Tag: "1.4.2", Current: current(),
				Held: []api.Rollout{{
					Digest: fresh, Phase: "held", SeenAt: *ago(2 * time.Minute), Holds: []string{"approval", "cooldown"}, HeldUntil: ago(-8 * time.Minute), Hosts: on("waiting"),
				}},
				Coming: []api.Rollout{{Digest: "sha256:3333333333333333", Phase: "warming", SeenAt: *ago(3 * time.Minute), Hosts: []api.HostCopy{
					{Host: "etl-1", State: "gone_upstream", Reason: "the registry has it no more", Attempts: 1, NextTry: ago(-time.Hour)},
				}}},
			},
			{Tag: "1.4.1", Held: []api.Rollout{
				{
					Digest: fresh, Phase: "held", SeenAt: *ago(time.Minute), Holds: []string{"verification_failed"}, Hosts: on("waiting"),
					Trust: api.Trust{Verdict: &api.Verdict{ExitCode: 1, Output: "Error: no matching\x1b[1m signatures\n"}},
				},
				{
					Digest: "sha256:4444444444444444", Phase: "held", SeenAt: *ago(time.Minute), Holds: []string{"rolled_back", "verification"}, Hosts: on("waiting"),
					Trust: api.Trust{Verdict: &api.Verdict{Failure: "cosign is not installed"}},
				},
			}},
			{Tag: "1.4.0", Leaving: true, Current: current()},
		},
	}
}

func TestStatusTables(t *testing.T) {
	t.Parallel()
	tests := map[string]fleetStatus{
		"status_busy.golden":     busyFleet(),
		"status_nohosts.golden":  {},
		"status_noimages.golden": {Hosts: busyFleet().Hosts[:1]},
	}
	for name, status := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			status.print(&b, noon)
			golden(t, name, b.String())
		})
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		progress api.Progress
		want     string
	}{
		{api.Progress{}, "0B"}, // the manifest could not be read
		{api.Progress{Bytes: 1500}, "1.5kB"},
		{api.Progress{TotalBytes: 1000}, "0% of 1kB"},
		{api.Progress{Bytes: 999, TotalBytes: 1000}, "99% of 1kB"},
		{api.Progress{Bytes: 1000, TotalBytes: 1000}, "100% of 1kB"},
		{api.Progress{Bytes: 2000, TotalBytes: 1000}, "100% of 1kB"}, // a layer that was begun anew
	}
	for _, test := range tests {
		if got := percent(test.progress); got != test.want {
			t.Errorf("%+v: %q, want %q", test.progress, got, test.want)
		}
	}
}

// What the files say and what is in force can differ: status says so.
func TestStatusTellsOfARefusedConfiguration(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	s := fleetStatus{Configuration: api.Configuration{RefusedAt: &at, Error: "the configuration has 1 mistake:\n  prewarm.yaml:3: hosts[0].nme: unknown key"}}
	want := "a changed configuration was refused at 2026-11-22 12:00:00, and the one before stays in force: the configuration has 1 mistake:   prewarm.yaml:3: hosts[0].nme: unknown key"
	if notes := s.notes(); len(notes) != 1 || notes[0] != want {
		t.Errorf("got %q", notes)
	}
	if notes := (fleetStatus{}).notes(); len(notes) != 0 {
		t.Errorf("got %q", notes)
	}
}
