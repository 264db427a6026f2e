package spool

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestReadersJoinAnywhere(t *testing.T) {
	t.Parallel()
	s := newStore(t, 4000)
	l := openLog(t, s, 0)
	const lines = 2000
	var wg sync.WaitGroup
	for i := range 8 {
		after := int64(i * 300)
		wg.Go(func() {
			due := after + 1
			err := l.Read(context.Background(), after, true, func(e Entry) error {
				if e.Seq != due {
					t.Errorf("after %d: line %d, want %d", after, e.Seq, due)
				}
				due++
				return nil
			})
			if err != nil || due != max(lines, after)+1 {
				t.Errorf("after %d: ended before %d: %v", after, due, err)
			}
		})
	}
	for _, text := range numbered(1, lines, 50) {
		appendLines(t, l, text)
		if len(text)%7 == 0 {
			flush(t, l)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	live := copied(t, func(w func([]byte) error) error { return l.Copy(t.Context(), 17, false, w) })
	if ended := copied(t, func(w func([]byte) error) error { return s.Copy(t.Context(), run, 17, w) }); ended != live {
		t.Error("the ended log reads differently")
	}
}

func TestASlowReaderStopsNobody(t *testing.T) {
	t.Parallel()
	l := openLog(t, newStore(t, 4000), 0)
	appendLines(t, l, "one")
	flush(t, l)
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- l.Read(context.Background(), 0, true, func(e Entry) error {
			if e.Seq == 1 {
				close(entered)
				<-leave
			}
			return nil
		})
	}()
	<-entered
	appendLines(t, l, numbered(2, 500, 100)...)
	flush(t, l)
	if got := len(readLog(t, l, 0)); got != 500 {
		t.Errorf("%d lines", got)
	}
	if err := errors.Join(l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReadersEndWithTheirContextAndTheirOwnErrors(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	l := openLog(t, s, 0)
	appendLines(t, l, "one", "two")
	flush(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Read(ctx, 0, true, func(e Entry) error {
		if e.Seq == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a follower whose context ended: %v", err)
	}
	stop := func(Entry) error { return errStop }
	for name, err := range map[string]error{
		"Read":       l.Read(t.Context(), 0, true, stop),
		"Tail":       l.Tail(noon, stop),
		"Store.Read": s.Read(t.Context(), run, 0, stop),
	} {
		if err != errStop { //nolint:errorlint // it is to come back as it is
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Read(ctx, run, 0, stop); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader whose context ended: %v", err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	s := newStore(t, 500)
	l := openLog(t, s, 0)
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	// The lines of two streams are not in the order of the engine's times.
	engine := []int{10, 20, 30, 25, 40, 0, 50, 60, 55, 70, 80, 90}
	for i, ms := range engine {
		e := Entry{Time: at(1000 + i), Stream: "stdout", Text: strings.Repeat("x", 60)}
		if ms > 0 {
			e.EngineTime = at(ms)
		}
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []*Log{l, reopened(t, s, l)} {
		for since, want := range map[int]int{0: 1, 10: 1, 11: 2, 25: 3, 26: 3, 31: 5, 41: 7, 51: 8, 56: 8, 61: 10, 90: 12, 91: 0} {
			got := collect(t, func(fn func(Entry) error) error { return l.Tail(at(since), fn) })
			switch {
			case want == 0 && len(got) > 0:
				t.Errorf("since %d: %v, want nothing", since, got)
			case want > 0 && (len(got) != len(engine)-want+1 || got[0].Seq != int64(want)):
				t.Errorf("since %d: %d lines, want those from %d on: %+v", since, len(got), want, got)
			}
		}
	}
}

func reopened(t *testing.T, s *Store, l *Log) *Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return openLog(t, s, l.max)
}

func TestTailReadsNoOlderSegments(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1000)
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, 100, 100)...)
	flush(t, l)
	damageFile(t, s, files(t, s)[3], 0)
	got := collect(t, func(fn func(Entry) error) error { return l.Tail(entry(99, "").EngineTime, fn) })
	if len(got) != 2 || got[0].Seq != 99 {
		t.Errorf("%d lines: %v", len(got), got)
	}
	if err := l.Tail(noon, func(Entry) error { return nil }); err == nil {
		t.Error("the damage was not found: the test shows nothing")
	}
}
