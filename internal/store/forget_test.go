package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/hints"
)

// bounds says of each table what keeps it from growing without end. docs/backup.md
// tells the same to people.
var bounds = map[string]string{
	"acts":             "state.keep",
	"audit":            "state.keep, and 100,000 of each caller",
	"backups":          "one row",
	"deliveries":       "state.keep, and 1000 of each webhook, and as many refused ones",
	"engines":          "one of each host",
	"given_up":         "one of each host and digest, until it is pulled again",
	"goose_db_version": "one of each migration",
	"host_images":      "what is on the hosts",
	"images":           "one of each image",
	"instance":         "one row",
	"joined_calls":     "goes with its run",
	"message_losses":   "one of each route",
	"messages":         "7 days, and 10,000 of each route",
	"notices":          "until the routes have taken them",
	"passes":           "state.keep, and 500 of each host",
	"pauses":           "what people paused",
	"removals":         "an hour",
	"restored":         "one row",
	"restored_runs":    "those that wait in a backup, until the hosts were looked at",
	"rollouts":         "1000 of each tag, the newest 50 that were current, and those that somebody went back from",
	"run_secrets":      "until the run has a container",
	"runs":             "runner.keep",
	"scope_pins":       "goes with its scope",
	"scopes":           "30 days after its end",
	"tokens":           "state.keep after they were revoked or expired, and the one that was made last",
	"troubles":         "until they are over",
}

func TestEachTableHasABound(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	tables := store.Tables(t, dir)
	for _, table := range tables {
		if bounds[table] == "" {
			t.Errorf("nothing is said of what bounds the table %s: bound it, and say how here and in docs/backup.md", table)
		}
		if !strings.Contains(string(page), "`"+table+"`") {
			t.Errorf("docs/backup.md does not say what bounds the table %s", table)
		}
	}
	if len(bounds) != len(tables) {
		t.Errorf("%d bounds of %d tables", len(bounds), len(tables))
	}
}

func idAt(at time.Time, n int) string {
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[15] = byte(n)
	return id.String()
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	limit := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for n, at := range []time.Time{limit.Add(-time.Millisecond), limit, limit.Add(time.Minute)} {
		name := fmt.Sprint("t", n)
		acts := []warmer.Act{{ID: idAt(at, n), At: at, Who: "me", Verb: "hold", Track: warmer.TrackID{Image: "jobs"}}}
		if err := s.Save(t.Context(), warmer.Change{Acts: acts}); err != nil {
			t.Fatal(err)
		}
		if err := s.SavePass(t.Context(), warmer.Pass{ID: idAt(at, n), Host: "a", Begun: at}); err != nil {
			t.Fatal(err)
		}
		if err := s.Record(t.Context(), []hints.Delivery{{ID: idAt(at, n), Hook: "ci"}}); err != nil {
			t.Fatal(err)
		}
		for i, token := range []access.Token{{Revoked: at}, {Expires: at}, {Created: at}} {
			token.ID, token.Name, token.Hash = idAt(at, 10*n+i), name, [32]byte{byte(n), byte(i), 1}
			if err := s.InsertToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Forget(t.Context(), limit); err != nil {
		t.Fatal(err)
	}
	_, acts, err := s.History(t.Context(), "jobs", 10)
	if err != nil || len(acts) != 2 {
		t.Errorf("%d acts: %v", len(acts), err)
	}
	if passes, err := s.Passes(t.Context(), "", 10); err != nil || len(passes) != 2 {
		t.Errorf("%d passes: %v", len(passes), err)
	}
	if hooks, err := s.Deliveries(t.Context(), "ci", 10); err != nil || len(hooks) != 2 {
		t.Errorf("%d deliveries: %v", len(hooks), err)
	}
	if tokens, err := s.Tokens(t.Context()); err != nil || len(tokens) != 7 { // of the oldest, that which still opens something
		t.Errorf("%d tokens: %v", len(tokens), err)
	}
}

// Time that passes must not open the door: the last token stays on record, so that
// a later start knows that there was one.
func TestTheLastTokenIsNotForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	old := time.Now().Add(-2 * time.Hour)
	for n, token := range []access.Token{{Name: "first", Revoked: old}, {Name: "last", Expires: old}} {
		token.ID, token.Hash = idAt(old.Add(time.Duration(n)*time.Second), n), access.HashOf(token.Name)
		if err := s.InsertToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forget(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if tokens, err := s.Tokens(t.Context()); err != nil || len(tokens) != 1 || tokens[0].Name != "last" {
		t.Errorf("%+v %v", tokens, err)
	}
	keys, err := access.NewKeyring(t.Context(), s, access.Setup{})
	if err != nil || keys.Open() {
		t.Errorf("everybody is let in: %v", err)
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := access.Token{ID: idAt(time.Now(), 1), Name: "before", Hash: [32]byte{1}}
	if err := s.InsertToken(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	to := t.TempDir()
	made, err := s.Snapshot(t.Context(), to+"/"+store.Database)
	if err != nil || made.Before(began) {
		t.Fatal(made, err)
	}
	if info, err := os.Stat(to + "/" + store.Database); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if err := s.InsertToken(t.Context(), access.Token{ID: idAt(time.Now(), 2), Name: "after", Hash: [32]byte{2}}); err != nil {
		t.Fatal(err)
	}
	copied, err := store.Open(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	tokens, err := copied.Tokens(t.Context())
	if err != nil || len(tokens) != 1 || tokens[0].Name != "before" || copied.Instance() != s.Instance() {
		t.Errorf("%+v %v", tokens, err)
	}
	if _, err := s.Snapshot(t.Context(), to+"/"+store.Database); err == nil {
		t.Error("a file that is there is overwritten")
	}
}

// A copy that would fill the disk takes the room from everybody else.
func TestNoSnapshotWithoutRoom(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	to := filepath.Join(t.TempDir(), store.Database)
	store.SetFree(s, 50<<20)
	if _, err := s.Snapshot(t.Context(), to); problem.CodeOf(err) != problem.NoSpace {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(to); err == nil && info.Size() > 0 {
		t.Error("something is written")
	}
}

func TestTheMarkOfARestore(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	made := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	for _, want := range []time.Time{{}, made, {}} {
		if got, _, err := s.Restored(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("%v, want %v: %v", got, want, err)
		}
		err := s.MarkRestored(t.Context(), made)
		if want.Equal(made) {
			err = s.ForgetRestore(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is submitted after a restore did not wait in the backup.
func TestWhatWaitedInABackup(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	add := func(id string, state runner.State, container string) {
		insert(t, s, runner.Run{ID: id, Image: "jobs", State: state, ContainerID: container, Submitted: time.Now(), Terms: runner.Terms{Namespace: runner.DefaultNamespace}})
	}
	add("1-ended", runner.Succeeded, "")
	add("2-waits", runner.Queued, "")
	add("3-is-under-way", runner.Running, "c")
	add("4-was-placed", runner.Placed, "")
	if err := s.MarkRestored(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	add("5-is-new", runner.Queued, "")
	_, waited, err := s.Restored(t.Context())
	if err != nil || !slices.Equal(waited, []string{"2-waits", "4-was-placed"}) {
		t.Errorf("%v %v", waited, err)
	}
}

func TestTheLastBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	night := store.Backup{Made: noon.Add(-12 * time.Hour), Bytes: 5 << 30, Took: 90 * time.Second}
	s := open(t, dir)
	last := func() store.Backup {
		got, err := s.LastBackup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.Made = got.Made.UTC()
		return got
	}
	if got := last(); !got.Made.IsZero() {
		t.Errorf("of none: %+v", got)
	}
	for _, made := range []store.Backup{{Made: noon.Add(-36 * time.Hour)}, night} {
		if err := s.NoteBackup(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got := last(); got != night {
		t.Errorf("after a restart: %+v", got)
	}
	if err := s.MarkRestored(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if got := last(); got != (store.Backup{Made: noon}) {
		t.Errorf("after a restore: %+v", got)
	}
}
