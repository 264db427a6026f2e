package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const run = "0197a5c0-0000-7000-8000-000000000001"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

func newStore(t testing.TB, segment int64) *Store {
	t.Helper()
	s, err := New(Options{Dir: filepath.Join(t.TempDir(), "logs"), Segment: segment})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openLog(t testing.TB, s *Store, limit int64) *Log {
	t.Helper()
	l, err := s.Open(run, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// entry is a line of stdout, i milliseconds after noon.
func entry(i int, text string) Entry {
	at := noon.Add(time.Duration(i) * time.Millisecond)
	return Entry{Time: at.Add(time.Second), EngineTime: at, Stream: "stdout", Text: text}
}

func appendLines(t testing.TB, l *Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := l.Append(entry(int(l.State().Lines)+1, text)); err != nil {
			t.Fatal(err)
		}
	}
}

// numbered gives the texts "line from" to "line to", padded to length bytes.
func numbered(from, to, length int) []string {
	var texts []string
	for i := from; i <= to; i++ {
		text := fmt.Sprintf("line %d ", i)
		texts = append(texts, text+strings.Repeat("x", max(0, length-len(text))))
	}
	return texts
}

func flush(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
}

// collect gives what a reading passes to its fn.
func collect(t testing.TB, read func(fn func(Entry) error) error) []Entry {
	t.Helper()
	var all []Entry
	if err := read(func(e Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func readLog(t testing.TB, l *Log, after int64) []Entry {
	t.Helper()
	return collect(t, func(fn func(Entry) error) error { return l.Read(t.Context(), after, false, fn) })
}

func readStore(t testing.TB, s *Store, after int64) []Entry {
	t.Helper()
	return collect(t, func(fn func(Entry) error) error { return s.Read(t.Context(), run, after, fn) })
}

// copied gives what a copy passes to its w.
func copied(t testing.TB, do func(w func([]byte) error) error) string {
	t.Helper()
	var b strings.Builder
	if err := do(func(chunk []byte) error { b.Write(chunk); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// kill ends a log as a kill of the process does.
func kill(l *Log) {
	l.write.Lock()
	defer l.write.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.settling.Wait()
	if l.current != nil {
		_ = l.current.Close()
	}
}

func files(t testing.TB, s *Store) []string {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.dir, run))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

func summary(all []Entry) string {
	var words []string
	for _, e := range all {
		words = append(words, fmt.Sprintf("%d %.40s", e.Seq, strings.TrimRight(e.Text, "x")))
	}
	return strings.Join(words, "|")
}

var errStop = errors.New("stop")
