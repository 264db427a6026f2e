//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// The main job: a pushed tag is seen, warmed on three real hosts, promoted, and
// run; a second version takes over only when it is warm.
func TestMainJob(t *testing.T) {
	t.Parallel()
	first := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	b := newBench(t, image(t))
	b.awaitCurrent(first)
	for _, h := range shared.Hosts {
		pin := shared.Registry.Addr + "/" + repo(t) + "@" + first
		docker(t, h, "image", "inspect", pin)
		docker(t, h, "image", "inspect", shared.Registry.Addr+"/"+repo(t)+":prewarm-"+strings.TrimPrefix(first, "sha256:"))
	}
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "one\n" {
		t.Fatalf("the first version printed %q", out)
	}
	second := push(t, repo(t)+":latest", fleet.ProgramImage("two"))
	b.awaitCurrent(second)
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "two\n" {
		t.Fatalf("the second version printed %q", out)
	}
	status := b.mustCLI("status")
	for _, want := range []string{"etl-1", "etl-2", "etl-3", "jobs:latest", second[:19], "warm"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	hosts := decode[struct{ Images []api.Image }](t, b.mustCLI("status", "-o", "json"))
	if old := hosts.Images[0].Tracks[0].SupersededBytes; len(old) != 3 || old["etl-1"] == 0 {
		t.Errorf("the superseded digest's bytes: %v", old)
	}
}

// While the next version warms, runs use the one before.
func TestNewImageGoesLiveOnlyWhenWarm(t *testing.T) {
	t.Parallel()
	first := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	b := newBench(t, image(t))
	b.awaitCurrent(first)
	second := push(t, repo(t)+":latest", fleet.Image{Version: "two", Random: []int64{40 << 20}, Seed: uint64(time.Now().UnixNano())})
	await(t, "the second version is seen", func() bool {
		image, err := b.client().Image(t.Context(), "jobs")
		return err == nil && (len(image.Tracks[0].Coming) > 0 || image.Tracks[0].Current.Digest == second)
	})
	for b.current() == first {
		run, out := b.submit(api.SubmitRun{Image: "jobs", Command: []string{"version"}})
		if digest := run.Pin[strings.Index(run.Pin, "@")+1:]; (digest == first) != (out == "one\n") || (digest == second) != (out == "two\n") {
			t.Fatalf("run on %s printed %q", digest, out)
		}
	}
	b.awaitCurrent(second)
}

// submit runs to the end and gives the run and what it printed.
func (b *bench) submit(r api.SubmitRun) (api.Run, string) {
	b.t.Helper()
	submitted, err := b.client().Submit(b.t.Context(), r, "")
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	if err := b.client().Logs(b.t.Context(), submitted.ID, 0, true, func(l api.LogLine) error {
		out.WriteString(l.Text + "\n")
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	run, err := b.client().Run(b.t.Context(), submitted.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return run, out.String()
}
