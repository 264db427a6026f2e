package spool

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// damageFile puts zeros into a file of the log from a byte on, 40 of them.
func damageFile(t *testing.T, s *Store, name string, from int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, run, name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 40), from); err != nil {
		t.Fatal(err)
	}
}

// killed is a store with a log of lines that a kill ended.
func killed(t *testing.T, segment int64, lines int) *Store {
	t.Helper()
	s := newStore(t, segment)
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, lines, 60)...)
	flush(t, l)
	kill(l)
	return s
}

func TestOpenGoesOnBehindTheLastWholeLine(t *testing.T) {
	t.Parallel()
	s := killed(t, 0, 3)
	path := filepath.Join(s.dir, run, files(t, s)[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(whole) + 1 {
		for _, tail := range []string{"", strings.Repeat("\x00", 300)} {
			if err := os.WriteFile(path, append(bytes.Clone(whole[:size]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			kept := bytes.Count(whole[:size], []byte("\n"))
			l := openLog(t, s, 0)
			if got := l.State().Lines; got != int64(kept) {
				t.Fatalf("of %d bytes: %d lines, want %d", size, got, kept)
			}
			appendLines(t, l, "next")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			got := readStore(t, s, 0)
			if len(got) != kept+1 || got[kept].Text != "next" || got[kept].Seq != int64(kept+1) {
				t.Fatalf("of %d bytes: %s", size, summary(got))
			}
			if kept == 0 { // the segment was begun anew
				if want := []string{name(1, openEnd)}; !slices.Equal(files(t, s), want) {
					t.Fatalf("files %q", files(t, s))
				}
			}
		}
	}
}

func TestOpenLeavesTheSegmentBeforeAnEmptyOne(t *testing.T) {
	t.Parallel()
	s := killed(t, 0, 3)
	if err := os.WriteFile(filepath.Join(s.dir, run, name(4, openEnd)), make([]byte, 500), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, 0)
	appendLines(t, l, "next")
	flush(t, l)
	if got := readLog(t, l, 2); len(got) != 2 || got[1].Seq != 4 || len(files(t, s)) != 1 {
		t.Errorf("%v in %q", got, files(t, s))
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	t.Parallel()
	s := killed(t, 0, 3)
	for _, name := range []string{name(1, packedEnd+draftEnd), name(1, cutEnd+draftEnd), "notes.txt"} {
		if err := os.WriteFile(filepath.Join(s.dir, run, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := readStore(t, s, 0); len(got) != 3 {
		t.Errorf("read %v", got)
	}
	openLog(t, s, 0)
	if got := files(t, s); len(got) != 1 {
		t.Errorf("left: %q", got)
	}
}

func TestDamageInAnEarlierSegmentIsTold(t *testing.T) {
	t.Parallel()
	for _, from := range []int64{0, 3, 250, 500} {
		s := killed(t, 1000, 40)
		second := files(t, s)[1]
		first, _, _ := parseName(second)
		damageFile(t, s, second, from)
		l := openLog(t, s, 0)
		if got := l.State().Lines; got != 40 {
			t.Errorf("%d lines", got)
		}
		appendLines(t, l, "next")
		flush(t, l)
		copyLive := func(fn func(Entry) error) error {
			return l.Copy(t.Context(), 0, true, eachEntry(run, fn))
		}
		for name, read := range map[string]func(func(Entry) error) error{
			"live":  func(fn func(Entry) error) error { return l.Read(t.Context(), 0, false, fn) },
			"copy":  copyLive,
			"ended": func(fn func(Entry) error) error { return s.Read(context.Background(), run, 0, fn) },
		} {
			var last int64
			err := read(func(e Entry) error { last = e.Seq; return nil })
			want := fmt.Sprintf("read log of run %s: line %d is damaged or missing in %s", run, last+1, second)
			if err == nil || err.Error() != want || last < first-1 {
				t.Errorf("%s: behind line %d: %v, want %s", name, last, err, want)
			}
		}
		if got := readLog(t, l, 39); len(got) != 2 {
			t.Errorf("behind the damage: %v", got)
		}
	}
}

func TestALineThatIsNoJSONIsTold(t *testing.T) {
	t.Parallel()
	s := killed(t, 0, 3)
	path := filepath.Join(s.dir, run, files(t, s)[0])
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(`"text":"line 2`), []byte(`"text":x"line 2`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), run, 0, func(Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), "line 2 is damaged") {
		t.Errorf("got %v", err)
	}
	if got := openLog(t, s, 0).State().Lines; got != 1 {
		t.Errorf("the last whole line is %d", got)
	}
}

func TestAMissingSegmentIsTold(t *testing.T) {
	t.Parallel()
	s := killed(t, 1000, 40)
	names := files(t, s)
	second, _, _ := parseName(names[1])
	third, _, _ := parseName(names[2])
	if err := os.Remove(filepath.Join(s.dir, run, names[1])); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), run, 0, func(Entry) error { return nil }); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d ", second)) {
		t.Errorf("before the next open: %v", err)
	}
	l := openLog(t, s, 0)
	if got := l.State(); got.Lines != 40 || got.Cut != (CutRange{First: second, Last: third - 1}) {
		t.Errorf("%+v", got)
	}
	for _, got := range [][]Entry{readLog(t, l, 0), readStore(t, s, 0)} {
		word := got[second-1]
		if want := fmt.Sprintf("lines %d to %d (0 bytes) are missing", second, third-1); word.Seq != third-1 || !strings.HasPrefix(word.Text, want) {
			t.Errorf("%+v", word)
		}
	}
}

func TestStoreOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	if got := readStore(t, s, 0); got != nil {
		t.Errorf("lines: %v", got)
	}
	size, err := s.Size(run)
	if err != nil || size != 0 {
		t.Errorf("size: %d %v", size, err)
	}
	if err := s.Compress(run); err != nil {
		t.Error(err)
	}
	if err := s.Remove(run); err != nil {
		t.Error(err)
	}
	if runs, err := s.Runs(); err != nil || len(runs) != 0 {
		t.Errorf("runs: %q %v", runs, err)
	}
}

func TestStoreListsAndRemoves(t *testing.T) {
	t.Parallel()
	s := killed(t, 0, 3)
	if runs, err := s.Runs(); err != nil || !cmp.Equal(runs, []string{run}) {
		t.Errorf("runs: %q %v", runs, err)
	}
	info, err := os.Stat(filepath.Join(s.dir, run, files(t, s)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if size, err := s.Size(run); err != nil || size != info.Size() || info.Mode() != 0o600 {
		t.Errorf("size: %d %v, mode %v", size, err, info.Mode())
	}
	if err := s.Remove(run); err != nil {
		t.Fatal(err)
	}
	if got := readStore(t, s, 0); got != nil {
		t.Errorf("lines: %v", got)
	}
}

func TestARunThatIsNoNameIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	for _, run := range []string{"", ".", "..", "a/b", "../a", "/", ".hidden"} {
		_, openErr := s.Open(run, 0)
		_, sizeErr := s.Size(run)
		for name, err := range map[string]error{
			"Open": openErr, "Size": sizeErr, "Compress": s.Compress(run), "Remove": s.Remove(run),
			"Read": s.Read(t.Context(), run, 0, func(Entry) error { return nil }),
		} {
			if err == nil {
				t.Errorf("%s(%q) was not refused", name, run)
			}
		}
	}
}
