package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// What an earlier release wrote down is read by this one.
func TestOldStatesAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store.OldState(t, dir, 2, fmt.Sprintf(`
		INSERT INTO instance (only_row, id) VALUES (1, 'an-old-instance');
		INSERT INTO rollouts (id, image, tag, pin, manifest, phase, seen_at, promoted_at, ended_at)
			VALUES ('0001', 'jobs', 'latest', '%[1]s', '{}', 'current', 1, 2, 0);
		INSERT INTO runs (id, spec, image, pin, host, engine_marker, container_id, state, ended, reason, detail,
			exit_code, oom_killed, submitted_at, placed_at, started_at, first_line_at, ended_at)
		VALUES
			('0001', '{"Image":"jobs:latest","Command":["a"],"Env":null,"Memory":7}', 'jobs', '%[1]s', 'etl-1', 'm', 'c', 'failed', 1, '', 'killed',
				137, 1, 1000000, 2000000, 3000000, 4000000, 5000000),
			('0002', '{"Image":"jobs"}', 'jobs', '', '', '', '', 'queued', 0, '', '', NULL, 0, 6000000, 0, 0, 0, 0);`, pin(t, "a")))

	s := open(t, dir)
	if s.Instance() != "an-old-instance" {
		t.Errorf("instance %s", s.Instance())
	}
	saved, err := s.Load(t.Context())
	if err != nil || len(saved.Rollouts) != 1 || saved.Rollouts[0].Phase != warmer.Current {
		t.Errorf("rollouts: %+v %v", saved, err)
	}
	terms := runner.Terms{Namespace: runner.DefaultNamespace}
	spec := runner.Spec{Image: "jobs:latest", Command: []string{"a"}, Memory: 7}
	runs, err := s.Runs(t.Context(), runner.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []runner.Run{
		{
			ID: "0002", Asked: runner.Spec{Image: "jobs"}, Spec: runner.Spec{Image: "jobs"}, Terms: terms, Image: "jobs",
			State: runner.Queued, Submitted: time.Unix(6, 0),
		},
		{
			ID: "0001", Asked: spec, Spec: spec, Terms: terms, Image: "jobs", Pin: pin(t, "a"),
			Host: "etl-1", EngineMarker: "m", ContainerID: "c", State: runner.Failed, Detail: "killed",
			ExitCode: 137, Exited: true, OOMKilled: true,
			Submitted: time.Unix(1, 0), Placed: time.Unix(2, 0), Started: time.Unix(3, 0), FirstLine: time.Unix(4, 0), Ended: time.Unix(5, 0),
		},
	}, runs)
	expectUnfinished(t, s, "0002")
	old, err := s.EndedBefore(t.Context(), time.Unix(6, 0), 10)
	if err != nil || ids(old) != "0001" {
		t.Errorf("ended: %q %v", ids(old), err)
	}
	changed := runs[0]
	changed.State, changed.SameAs = runner.Refused, "0001"
	if err := s.UpdateRun(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	expectUnfinished(t, s, "")
}

// The way back keeps what the earlier release knows.
func TestSchemaGoesDownAndUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	r := run(t)
	r.Detail = "kept"
	insert(t, s, r)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	store.DownTo(t, dir, 2)
	s = open(t, dir)
	got, err := s.Run(t.Context(), r.ID)
	if err != nil || got.Detail != "kept" || got.Image != r.Image || got.Pin != r.Pin {
		t.Fatalf("got %+v %v", got, err)
	}
	expectUnfinished(t, s, r.ID)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	store.DownTo(t, dir, 0)
	open(t, dir)
}

// A backup of an earlier release is brought up to date.
func TestABackupOfAnOldStateIsRestored(t *testing.T) {
	t.Parallel()
	old := t.TempDir()
	store.OldState(t, old, 8, `INSERT INTO instance (only_row, id) VALUES (1, 'old')`)
	text, err := os.ReadFile(filepath.Join(old, store.Database))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	made := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	w, err := backup.NewWriter(&out, backup.Head{Version: "old", Instance: "old", Schema: 8, Made: made})
	if err == nil {
		err = errors.Join(w.Add(store.Database, int64(len(text)), bytes.NewReader(text)), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := app.Restore(t.Context(), app.RestoreOptions{Dir: dir, From: &out}); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	got, waited, err := s.Restored(t.Context())
	if err != nil || !got.Equal(made) || len(waited) > 0 || s.Instance() != "old" {
		t.Errorf("%v %v %v, instance %s", got, waited, err, s.Instance())
	}
}
