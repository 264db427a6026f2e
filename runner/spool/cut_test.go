package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutLog is a log of so many lines of 200 bytes, of which 32 KiB stay.
func cutLog(t *testing.T, lines int) (*Store, *Log) {
	t.Helper()
	s := newStore(t, 0)
	l := openLog(t, s, leastBound)
	appendLines(t, l, numbered(1, lines, 200)...)
	flush(t, l)
	return s, l
}

func TestLogIsCutInTheMiddle(t *testing.T) {
	t.Parallel()
	const lines = 1000
	s, l := cutLog(t, lines)
	size, err := s.Size(run)
	if err != nil || size > leastBound+300 || size < leastBound*3/4 {
		t.Errorf("size %d of %d: %v", size, leastBound, err)
	}
	state := l.State()
	cut := state.Cut
	if want := (CutRange{First: cut.First, Last: cut.Last, Bytes: 200 * (cut.Last - cut.First + 1)}); cut != want || state.Lines != lines || state.Bytes != 200*lines {
		t.Errorf("state %+v, want cut %+v", state, want)
	}
	all := readLog(t, l, 0)
	at := slices.IndexFunc(all, func(e Entry) bool { return e.Stream == server })
	want := fmt.Sprintf("lines %d to %d (%d bytes) were cut: the log passed its bound of 32 KiB (runner.logs.cap, or log_cap of the run)", cut.First, cut.Last, cut.Bytes)
	if all[at].Text != want || all[at].Seq != cut.Last || int64(at) != cut.First-1 {
		t.Errorf("entry %d: %+v, want %s", at, all[at], want)
	}
	for i, e := range all {
		if due := int64(i + 1); i < at && e.Seq != due || i > at && e.Seq != cut.Last+int64(i-at) {
			t.Errorf("entry %d has number %d", i, e.Seq)
		}
		if i > 0 && !e.Time.After(all[i-1].Time) {
			t.Errorf("entry %d is not later than the one before it", i)
		}
	}
	// The first half of what stays is from the beginning.
	if head := cut.First * 400; head < leastBound/3 || head > leastBound*2/3 {
		t.Errorf("about %d bytes of %d are from the beginning", head, leastBound)
	}
	for after, first := range map[int64]int64{cut.First - 1: cut.Last, cut.First + 5: cut.Last, cut.Last - 1: cut.Last, cut.Last: cut.Last + 1} {
		if got := readLog(t, l, after); got[0].Seq != first {
			t.Errorf("after %d: begins with %d, want %d", after, got[0].Seq, first)
		}
	}
	if err := errors.Join(l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, readStore(t, s, 0)); diff != "" {
		t.Errorf("ended: %s", diff)
	}
	if diff := cmp.Diff(state, openLog(t, s, leastBound).State()); diff != "" {
		t.Errorf("opened again: %s", diff)
	}
}

func TestCutGoesOnAfterOpen(t *testing.T) {
	t.Parallel()
	s, l := cutLog(t, 500)
	first := l.State().Cut
	l = reopened(t, s, l)
	appendLines(t, l, numbered(501, 1000, 200)...)
	flush(t, l)
	cut := l.State().Cut
	if cut.First != first.First || cut.Last <= first.Last || cut.Bytes != 200*(cut.Last-cut.First+1) {
		t.Errorf("first %+v, then %+v", first, cut)
	}
	if words := slices.DeleteFunc(files(t, s), func(s string) bool { return !strings.HasSuffix(s, cutEnd) }); len(words) != 1 {
		t.Errorf("words of cuts: %q", words)
	}
}

func TestACutThatACrashInterruptedIsFinished(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, leastBound)
	appendLines(t, l, numbered(1, 80, 200)...)
	flush(t, l)
	before := map[string][]byte{}
	for _, name := range files(t, s) {
		b, err := os.ReadFile(filepath.Join(s.dir, run, name))
		if err != nil {
			t.Fatal(err)
		}
		before[name] = b
	}
	appendLines(t, l, numbered(81, 600, 200)...)
	flush(t, l)
	state := l.State()
	if state.Cut.Last < 80 {
		t.Fatalf("cut %+v only", state.Cut)
	}
	want := readLog(t, l, 0)
	kill(l)
	for name, b := range before {
		if first, _, _ := parseName(name); first >= state.Cut.First {
			if err := os.WriteFile(filepath.Join(s.dir, run, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, readStore(t, s, 0)); diff != "" {
		t.Errorf("read beside what was to go: %s", diff)
	}
	if diff := cmp.Diff(state, openLog(t, s, leastBound).State()); diff != "" {
		t.Error(diff)
	}
}

func TestALostWordOfACutIsReplaced(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]string{"empty": "", "zeros": strings.Repeat("\x00", 100), "two lines": "{}\n{}\n"} {
		s, l := cutLog(t, 600)
		state := l.State()
		kill(l)
		word := filepath.Join(s.dir, run, fmt.Sprintf("%020d%s", state.Cut.First, cutEnd))
		if err := os.WriteFile(word, []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
		l = openLog(t, s, leastBound)
		if got := l.State(); got.Lines != 600 || got.Cut.First != state.Cut.First || got.Cut.Last != state.Cut.Last {
			t.Errorf("%s: %+v, want the range of %+v", name, got, state)
		}
		if got := readLog(t, l, state.Cut.First); !strings.Contains(got[0].Text, "are missing") {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
}

func TestAFollowerMeetsTheCut(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, leastBound)
	appendLines(t, l, numbered(1, 60, 200)...)
	flush(t, l)
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	var seen []Entry
	go func() {
		done <- l.Read(context.Background(), 50, true, func(e Entry) error {
			if len(seen) == 0 {
				close(entered)
				<-leave
			}
			seen = append(seen, e)
			return nil
		})
	}()
	<-entered
	appendLines(t, l, numbered(61, 1000, 200)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	words := 0
	for i, e := range seen {
		if e.Stream == server {
			words++
		} else if i > 0 && e.Seq != seen[i-1].Seq+1 {
			t.Errorf("%d after %d", e.Seq, seen[i-1].Seq)
		}
	}
	if words != 1 || seen[0].Seq != 51 || seen[len(seen)-1].Seq != 1000 {
		t.Errorf("%d words in %d lines from %d to %d", words, len(seen), seen[0].Seq, seen[len(seen)-1].Seq)
	}
}

// TestAFollowerThatLagsIsToldWhatItSkips: the cut grows while it reads, so that
// it meets it again and again.
func TestAFollowerThatLagsIsToldWhatItSkips(t *testing.T) {
	t.Parallel()
	l := openLog(t, newStore(t, 0), leastBound)
	const lines = 2000
	appended, words := 0, 0
	more := func(n int) {
		n = min(n, lines-appended)
		appendLines(t, l, numbered(appended+1, appended+n, 200)...)
		appended += n
		flush(t, l)
	}
	more(300)
	var before Entry
	read := collect(t, func(fn func(Entry) error) error {
		return l.Read(t.Context(), 0, false, func(e Entry) error {
			more(3)
			return fn(e)
		})
	})
	for _, e := range read {
		switch {
		case e.Stream == server:
			words++
			what := fmt.Sprintf("lines %d to %d ", before.Seq+1, e.Seq)
			why := "were cut: the log passed its bound of 32 KiB (runner.logs.cap, or log_cap of the run)"
			if !strings.HasPrefix(e.Text, what) || !strings.HasSuffix(e.Text, why) {
				t.Errorf("behind line %d: %q, want %q and the reason", before.Seq, e.Text, what)
			}
		case e.Seq != before.Seq+1:
			t.Errorf("line %d comes behind line %d without a word", e.Seq, before.Seq)
		}
		if !e.Time.After(before.Time) {
			t.Errorf("line %d is not later than line %d", e.Seq, before.Seq)
		}
		before = e
	}
	if words < 2 || before.Seq != lines {
		t.Errorf("%d words in %d lines up to %d: the test shows nothing", words, len(read), before.Seq)
	}
}

func TestALineAboveTheBoundStays(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, 1)
	for range 3 {
		appendLines(t, l, strings.Repeat("x", 2*leastBound))
		flush(t, l)
	}
	got := readLog(t, l, 0)
	if len(got) != 2 || got[0].Seq != 2 || got[0].Stream != server || got[1].Seq != 3 {
		t.Errorf("%+v", summary(got))
	}
	if runs := files(t, s); len(runs) != 2 {
		t.Errorf("files %q", runs)
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{64 << 20: "64 MiB", 1 << 30: "1 GiB", 3 << 19: "1536 KiB", 1000: "1000 bytes"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
