package spool

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogKeepsLinesAsTheyAre(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, 0)
	texts := []string{"", " leading", "trailing ", "tab\there", "quote\"<&>\\", "Ünïcode 🙂", strings.Repeat("x", 1<<20), "\r10%\r20%", "a\xffb"}
	var want []Entry
	for i, text := range texts {
		e := entry(i, text)
		e.Open = i%2 == 1
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
		e.Seq, e.Text = int64(i+1), strings.ReplaceAll(text, "\xff", "\uFFFD")
		want = append(want, e)
	}
	flush(t, l)
	if diff := cmp.Diff(want, readLog(t, l, 0)); diff != "" {
		t.Error(diff)
	}
	if err := errors.Join(l.Sync(), l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readStore(t, s, 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[7:], readStore(t, s, 7)); diff != "" {
		t.Error(diff)
	}
	state := l.State()
	if diff := cmp.Diff(want[len(want)-1], state.Last); diff != "" || state.Lines != int64(len(want)) {
		t.Errorf("%d lines, last: %s", state.Lines, diff)
	}
	if err := l.Append(Entry{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if err := l.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("sync of a closed log: %v", err)
	}
}

func TestTimesIncrease(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, 0)
	for _, at := range []time.Time{noon, noon, noon.Add(-time.Hour), noon.Add(time.Nanosecond), noon.Add(time.Second)} {
		if err := l.Append(Entry{Time: at, Stream: "stdout"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, s, 0)
	if err := l.Append(Entry{Time: noon, Stream: server}); err != nil {
		t.Fatal(err)
	}
	flush(t, l)
	var got []time.Duration
	for _, e := range readLog(t, l, 0) {
		got = append(got, e.Time.Sub(noon))
	}
	want := []time.Duration{0, tick, 2 * tick, 3 * tick, time.Second, time.Second + tick}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestATimeThatCantBeWrittenTakesNoNumber(t *testing.T) {
	t.Parallel()
	l := openLog(t, newStore(t, 0), 0)
	appendLines(t, l, "one")
	if err := l.Append(Entry{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
	appendLines(t, l, "two")
	flush(t, l)
	if got := summary(readLog(t, l, 0)); got != "1 one|2 two" {
		t.Error(got)
	}
}

func TestALoneLineIsSeenSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, newStore(t, 0), 0)
		for i, text := range []string{"one", "two"} {
			appendLines(t, l, text)
			time.Sleep(lag - time.Microsecond)
			if got := readLog(t, l, int64(i)); got != nil {
				t.Errorf("seen early: %v", got)
			}
			time.Sleep(2 * time.Microsecond)
			synctest.Wait()
			if got := readLog(t, l, int64(i)); len(got) != 1 {
				t.Errorf("not seen: %v", got)
			}
		}
	})
}

func TestFullBufferIsFlushed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, newStore(t, 0), 0)
		appendLines(t, l, numbered(1, 1000, 200)...)
		if got := len(readLog(t, l, 0)); got < 700 || got == 1000 {
			t.Errorf("%d of 1000 lines are seen", got)
		}
		if cap(l.buf) > 2*bufferSize {
			t.Errorf("the buffer grew to %d", cap(l.buf))
		}
	})
}

func TestStateCountsWhatWasAppended(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1000)
	l := openLog(t, s, 0)
	if diff := cmp.Diff(State{}, l.State()); diff != "" {
		t.Error(diff)
	}
	appendLines(t, l, numbered(1, 20, 100)...)
	want := State{Lines: 20, Bytes: 2000, Last: entry(20, numbered(20, 20, 100)[0])}
	want.Last.Seq = 20
	if diff := cmp.Diff(want, l.State()); diff != "" {
		t.Errorf("before the flush: %s", diff)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, openLog(t, s, 0).State()); diff != "" {
		t.Errorf("after the next open: %s", diff)
	}
}

func TestSegmentsAreNamedByTheirFirstLine(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1000)
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, 12, 100)...)
	if err := errors.Join(l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	names := files(t, s)
	if len(names) < 2 {
		t.Fatalf("one segment only: %q", names)
	}
	for _, name := range names {
		first, end, ok := parseName(name)
		if !ok || end != openEnd {
			t.Fatalf("name %q", name)
		}
		if got := readStore(t, s, first-1); got[0].Seq != first {
			t.Errorf("%s begins with %d", name, got[0].Seq)
		}
	}
}
