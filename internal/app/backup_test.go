package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner/spool"
)

// plantLogs makes logs of that many bytes each, of runs that nobody knows.
func plantLogs(t *testing.T, dir string, runs, size int) {
	t.Helper()
	logs, err := spool.New(spool.Options{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	text := string(bytes.Repeat([]byte("x"), 1000))
	for n := range runs {
		l, err := logs.Open(fmt.Sprint("run-", n), 0)
		if err != nil {
			t.Fatal(err)
		}
		for range size / len(text) {
			if err := l.Append(spool.Entry{Time: time.Now(), Stream: "stdout", Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRestoreIsRefusedForALaterSchema(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, backup.Head{Version: "later", Schema: store.Schema() + 1, Made: time.Now()})
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	_, err = app.Restore(t.Context(), app.RestoreOptions{Dir: dir, From: bytes.NewReader(out.Bytes())})
	if problem.CodeOf(err) != problem.StateNewer {
		t.Errorf("%v", err)
	}
	_, err = app.Restore(t.Context(), app.RestoreOptions{Dir: dir, From: io.MultiReader()})
	if problem.CodeOf(err) != problem.BackupBroken {
		t.Errorf("%v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "lock" {
		t.Errorf("left %v %v", left, err)
	}
}

// writes measures calls that write to the database, until stop; the slowest comes
// last.
func writes(ctx context.Context, c *api.Client) (took []time.Duration) {
	for ctx.Err() == nil {
		begun := time.Now()
		_, _ = c.Submit(context.WithoutCancel(ctx), api.SubmitRun{Image: "none"}, "") // refused, once it is in the audit log
		took = append(took, time.Since(begun))
		time.Sleep(time.Millisecond)
	}
	slices.Sort(took)
	return took
}

// measured does something while others write, and gives how long they waited.
func measured(c *api.Client, do func()) (median, worst time.Duration, n int) {
	ctx, cancel := context.WithCancel(context.Background())
	waited := make(chan []time.Duration, 1)
	go func() { waited <- writes(ctx, c) }()
	do()
	cancel()
	took := <-waited
	return took[len(took)/2], took[len(took)-1], len(took)
}

// A backup of many logs keeps nobody waiting, and another one waits for it.
func TestABackupOfAServerAtWork(t *testing.T) {
	c := load(t, "")
	// Logs of runs that nobody knows are removed once, soon after a start.
	plantLogs(t, c.State.Path, 1, 1000)
	r := start(t, c)
	await(t, "the first look at the logs is over", func() bool {
		_, err := os.Stat(filepath.Join(c.State.Path, "logs", "run-0"))
		return errors.Is(err, fs.ErrNotExist)
	})
	const runs, size = 8, 4 << 20
	plantLogs(t, c.State.Path, runs, size)
	idle, idleWorst, n := measured(r.client, func() { time.Sleep(500 * time.Millisecond) })
	t.Logf("nothing else: median %s, worst %s of %d", idle, idleWorst, n)

	var out bytes.Buffer
	begun := time.Now()
	busy, busyWorst, n := measured(r.client, func() {
		if err := r.client.Backup(t.Context(), &out); err != nil {
			t.Error(err)
		}
	})
	t.Logf("during a backup of %d bytes, which took %s: median %s, worst %s of %d", out.Len(), time.Since(begun), busy, busyWorst, n)
	if busyWorst > 10*time.Second { // a slow disk keeps a call waiting for some
		t.Errorf("a call waited %s", busyWorst)
	}
	contents, err := backup.Read(bytes.NewReader(out.Bytes()), backup.Visitor{})
	if err != nil || contents.Bytes < runs*size {
		t.Errorf("%+v %v", contents, err)
	}

	began, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() { first <- r.client.Backup(t.Context(), &slow{began: began, release: release}) }()
	<-began
	if err := r.client.Backup(t.Context(), io.Discard); problem.CodeOf(err) != problem.BackupUnderWay {
		t.Errorf("a second one: %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, c)
	for _, name := range []string{"last_success_timestamp_seconds", "last_bytes", "last_duration_seconds"} {
		if !strings.Contains(scraped(t, again), "\nprewarm_backup_"+name+" ") {
			t.Errorf("after a restart nothing is measured as prewarm_backup_%s", name)
		}
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "state")
	result, err := app.Restore(t.Context(), app.RestoreOptions{Dir: to, From: bytes.NewReader(out.Bytes())})
	if err != nil || result.Files != contents.Files {
		t.Fatalf("%+v %v", result, err)
	}
	key, err := os.ReadFile(filepath.Join(c.State.Path, "link.key"))
	copied, copyErr := os.ReadFile(filepath.Join(to, "link.key"))
	if err != nil || copyErr != nil || !bytes.Equal(key, copied) {
		t.Errorf("the key of links: %v %v", err, copyErr)
	}
	if _, err := app.Restore(t.Context(), app.RestoreOptions{Dir: to, From: bytes.NewReader(out.Bytes())}); problem.CodeOf(err) != problem.StateNotEmpty {
		t.Errorf("once more: %v", err)
	}
}

// slow takes the first bytes and then nothing, until it is let go.
type slow struct{ began, release chan struct{} }

func (s *slow) Write(b []byte) (int, error) {
	if s.began != nil {
		close(s.began)
		s.began = nil
	}
	<-s.release
	return len(b), nil
}

// The folder of the state may be a link to a disk of its own.
func TestABackupOfALinkedStateHasAllOfIt(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	real := t.TempDir()
	if err := os.Symlink(real, c.State.Path); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca/ca.pem", ".docker/config.json"} { // the login is not the state's
		path := filepath.Join(real, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("secret"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, c)
	var out bytes.Buffer
	if err := r.client.Backup(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	_, err := backup.Read(&out, backup.Visitor{File: func(name string, _ io.Reader) error {
		names = append(names, name)
		return nil
	}})
	if err != nil || !slices.Equal(names, []string{"prewarm.db", "ca/ca.pem", "link.key"}) {
		t.Errorf("%v %v", names, err)
	}
}

// lazy takes the first bytes, and then nothing for a while.
type lazy struct{ pause time.Duration }

func (l *lazy) Write(b []byte) (int, error) {
	time.Sleep(l.pause)
	l.pause = 0
	return len(b), nil
}

// As long as a backup is made no log is removed, so none is made for ever.
func TestABackupIsBoundedInTime(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	plantLogs(t, c.State.Path, 1, 1000)
	r := start(t, c, func(a *app.App) { app.LimitBackups(a, 3*time.Second) })
	await(t, "the first look at the logs is over", func() bool {
		_, err := os.Stat(filepath.Join(c.State.Path, "logs", "run-0"))
		return errors.Is(err, os.ErrNotExist)
	})
	plantLogs(t, c.State.Path, 4, 8<<20)
	if err := r.client.Backup(t.Context(), &lazy{pause: 6 * time.Second}); err == nil {
		t.Error("it was completed")
	}
	await(t, "it is told", func() bool { return strings.Contains(r.log.String(), "the backup took longer than 3s") })
	// Without the logs the next one takes no time, on a slow machine, too.
	for n := range 4 {
		if err := os.RemoveAll(filepath.Join(c.State.Path, "logs", fmt.Sprint("run-", n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Backup(t.Context(), io.Discard); err != nil {
		t.Errorf("the next one: %v; the log:\n%s", err, r.log)
	}
}
