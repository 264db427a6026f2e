package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what a log should hold, beside the log.
type model struct {
	store *Store
	log   *Log
	limit int64
	lines []Entry
	last  time.Time
}

func (m *model) open(t *rapid.T) {
	l, err := m.store.Open(run, m.limit)
	if err != nil {
		t.Fatal(err)
	}
	m.log = l
}

// actions are what may happen to a log.
func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"append": m.append,
		"flush": func(t *rapid.T) {
			if err := m.log.Flush(); err != nil {
				t.Fatal(err)
			}
		},
		"sync": func(t *rapid.T) {
			if err := m.log.Sync(); err != nil {
				t.Fatal(err)
			}
		},
		"close": func(t *rapid.T) {
			if err := m.log.Close(); err != nil {
				t.Fatal(err)
			}
			m.read(t)
			if rapid.Bool().Draw(t, "compress") {
				if err := m.store.Compress(run); err != nil {
					t.Fatal(err)
				}
				m.read(t)
			}
			m.open(t)
		},
		"kill": m.kill,
		"tail": m.tail,
		"":     m.check,
	}
}

func (m *model) append(t *rapid.T) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\xff", "\n", strings.Repeat("y", 3000), strings.Repeat("\x00", 900)}))
	for range rapid.IntRange(1, 8).Draw(t, "lines") {
		e := Entry{
			Time:       noon.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "time"))),
			EngineTime: noon.Add(time.Duration(len(m.lines)+rapid.IntRange(-5, 5).Draw(t, "engine")) * time.Second),
			Stream:     rapid.SampledFrom([]string{"stdout", "stderr"}).Draw(t, "stream"),
			Text:       texts.Draw(t, "text"),
			Open:       rapid.Bool().Draw(t, "open"),
		}
		if err := m.log.Append(e); err != nil {
			t.Fatal(err)
		}
		if least := m.last.Add(tick); len(m.lines) > 0 && e.Time.Before(least) {
			e.Time = least
		}
		m.last = e.Time
		e.Seq, e.Text = int64(len(m.lines)+1), valid(e.Text)
		m.lines = append(m.lines, e)
	}
}

// kill ends the process, which leaves some bytes of the last file, and perhaps
// zeros behind them.
func (m *model) kill(t *rapid.T) {
	kill(m.log)
	kept := int64(0)
	if n := len(m.log.segments); n > 0 {
		last := m.log.segments[n-1]
		kept = last.last
		if last.cut == nil && !last.packed {
			path := filepath.Join(m.log.dir, last.name())
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = b[:rapid.IntRange(0, len(b)).Draw(t, "bytes")]
			kept = last.first - 1 + int64(bytes.Count(b, []byte("\n")))
			b = append(b, make([]byte, rapid.SampledFrom([]int{0, 0, 10, 5000}).Draw(t, "zeros"))...)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.open(t)
	m.lines = m.lines[:kept]
	m.last = m.log.State().Last.Time
}

// want gives what a reader behind number after is to get.
func (m *model) want(after int64, cut CutRange) []Entry {
	var want []Entry
	for _, e := range m.lines {
		switch {
		case e.Seq <= after || e.Seq >= cut.First && e.Seq < cut.Last:
		case e.Seq == cut.Last:
			want = append(want, Entry{Seq: e.Seq, Stream: server})
		default:
			want = append(want, e)
		}
	}
	return want
}

// sameLines compares what was read, but for the text and time of a word.
func sameLines(t *rapid.T, got, want []Entry) {
	for i := range got {
		if got[i].Stream == server {
			got[i].Text, got[i].Time = "", time.Time{}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Fatal(diff)
	}
}

func (m *model) check(t *rapid.T) {
	// A bounded log may be cut by the timer's flush, amid the comparison.
	if m.limit > 0 || rapid.Bool().Draw(t, "flush") {
		if err := m.log.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	state := m.log.State()
	var texts int64
	for _, e := range m.lines {
		texts += int64(len(e.Text))
	}
	if state.Lines != int64(len(m.lines)) || state.Cut.Last == 0 && state.Bytes != texts {
		t.Fatalf("%d lines of %d bytes, want %d of %d", state.Lines, state.Bytes, len(m.lines), texts)
	}
	if n := len(m.lines); n > 0 && state.Cut.Last != state.Lines && !cmp.Equal(state.Last, m.lines[n-1]) {
		t.Fatalf("last: %s", cmp.Diff(m.lines[n-1], state.Last))
	}
	if size, err := m.store.Size(run); err != nil || m.limit > 0 && size > m.limit+8000 {
		t.Fatalf("size %d: %v", size, err)
	}
	m.read(t)
}

// shown gives the last line that readers see.
func (m *model) shown() int64 {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	return m.log.next() - 1
}

// read holds what is read against the model, from somewhere on.
func (m *model) read(t *rapid.T) {
	after := int64(rapid.IntRange(0, len(m.lines)+2).Draw(t, "after"))
	want := m.want(after, m.log.State().Cut)
	for _, read := range []func(func(Entry) error) error{
		func(fn func(Entry) error) error { return m.log.Read(t.Context(), after, false, fn) },
		func(fn func(Entry) error) error { return m.store.Read(t.Context(), run, after, fn) },
	} {
		shown := m.shown()
		var got []Entry
		if err := read(func(e Entry) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		last := after
		if len(got) > 0 {
			last = got[len(got)-1].Seq
		}
		if last < shown || len(got) > len(want) {
			t.Fatalf("%d lines up to %d, want %d at most, up to %d at least", len(got), last, len(want), shown)
		}
		sameLines(t, got, want[:len(got)])
	}
}

func (m *model) tail(t *rapid.T) {
	since := noon.Add(time.Duration(rapid.IntRange(-10, len(m.lines)+10).Draw(t, "since")) * time.Second)
	var want []Entry
	for _, e := range m.want(0, m.log.State().Cut) {
		if len(want) > 0 || isSince(e.EngineTime, since) {
			want = append(want, e)
		}
	}
	var got []Entry
	if err := m.log.Tail(since, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	sameLines(t, got, want)
}

// TestModel does at random what may happen to a log, and holds it against a
// slice of lines.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		store, err := New(Options{Dir: dir, Segment: rapid.SampledFrom([]int64{0, 2000, 9000}).Draw(t, "segment")})
		if err != nil {
			t.Fatal(err)
		}
		m := &model{store: store, limit: rapid.SampledFrom([]int64{0, 1, 50_000}).Draw(t, "limit")}
		if m.limit > 0 {
			m.limit = max(m.limit, leastBound)
		}
		m.open(t)
		defer func() { kill(m.log) }()
		t.Repeat(m.actions())
	})
}

// FuzzOpen opens a log of two segments in which anything may stand, and goes on
// with it.
func FuzzOpen(f *testing.F) {
	line, err := appendEntry(nil, Entry{Seq: 1, Time: noon, Stream: "stdout", Text: "one"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line, bytes.Replace(line, []byte(":1,"), []byte(":2,"), 1), []byte{})
	f.Add(line[:20], make([]byte, 50), line)
	f.Add([]byte{}, []byte("\n\n{\"seq\":2,}\n"), []byte("{}\n"))
	f.Fuzz(func(t *testing.T, first, second, word []byte) {
		s := newStore(t, 0)
		dir := filepath.Join(s.dir, run)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{name(1, openEnd): first, name(2, openEnd): second, name(1, cutEnd): word} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := openLog(t, s, 0)
		due := l.State().Lines + 1
		if err := l.Append(entry(1, "next")); err != nil {
			t.Fatal(err)
		}
		flush(t, l)
		if got := readLog(t, l, due-1); len(got) != 1 || got[0].Seq != due || got[0].Text != "next" {
			t.Fatalf("behind %d: %v", due-1, got)
		}
		_ = l.Read(t.Context(), 0, false, func(Entry) error { return nil }) // it may be damaged
	})
}
