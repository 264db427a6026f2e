package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openSpool(t *testing.T) (*spool, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := newSpool(dir, "run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s, dir
}

func appendLines(t *testing.T, s *spool, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.append(Line{Time: time.Now(), Stream: Stdout, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
}

// taken collects what a reading gives.
func taken(into *[]string) func(Entry) error {
	return func(e Entry) error {
		*into = append(*into, fmt.Sprintf("%d %s", e.Seq, e.Text))
		return nil
	}
}

func TestSpoolKeepsTextAsItIs(t *testing.T) {
	t.Parallel()
	s, dir := openSpool(t)
	texts := []string{"", " leading", "trailing ", "tab\there", "quote\"<&>\\", "Ünïcode 🙂", strings.Repeat("x", 1<<20), "\r10%\r20%"}
	appendLines(t, s, texts...)
	if err := s.append(Line{Text: "no end", Stream: Stderr, Open: true}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.sync(), s.close()); err != nil {
		t.Fatal(err)
	}
	var got []Entry
	if err := readEnded(dir, "run", 0, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if got[i].Text != text || got[i].Seq != int64(i+1) || got[i].Stream != Stdout || got[i].Open {
			t.Errorf("line %d: got %+.80v, want %.80q", i+1, got[i], text)
		}
	}
	if last := got[len(got)-1]; !last.Open || last.Stream != Stderr {
		t.Errorf("the open line: %+v", last)
	}
}

func TestSpoolReplacesWhatIsNotText(t *testing.T) {
	t.Parallel()
	s, _ := openSpool(t)
	appendLines(t, s, "a\xffb")
	var got []string
	if err := s.read(t.Context(), 0, false, taken(&got)); err != nil || got[0] != "1 a\uFFFDb" {
		t.Fatalf("got %q %v", got, err)
	}
}

func TestManyReadersOfAGrowingSpool(t *testing.T) {
	t.Parallel()
	s, _ := openSpool(t)
	const lines = 2000
	var wg sync.WaitGroup
	for after := range 8 {
		wg.Go(func() {
			next := int64(after) + 1
			err := s.read(context.Background(), int64(after), true, func(e Entry) error {
				if e.Seq != next || e.Text != fmt.Sprint("line ", next) {
					return fmt.Errorf("got %d %q, want %d", e.Seq, e.Text, next)
				}
				next++
				return nil
			})
			if err != nil || next != lines+1 {
				t.Errorf("after %d: reached %d: %v", after, next, err)
			}
		})
	}
	for n := range lines {
		appendLines(t, s, fmt.Sprint("line ", n+1))
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestAReaderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, _ := openSpool(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.read(ctx, 0, true, func(Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestATornLastLineIsLeftOut(t *testing.T) {
	t.Parallel()
	s, dir := openSpool(t)
	appendLines(t, s, "whole", "torn")
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "run.ndjson")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-5], 0o600); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	var got []string
	if err := readEnded(dir, "run", 0, taken(&got)); err != nil || len(got) != 1 || got[0] != "1 whole" {
		t.Fatalf("got %q %v", got, err)
	}
}

func TestADamagedLogIsToldNotGuessed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(spoolPath(dir, "run"), []byte("{\"seq\":1}\nnonsense\n{\"seq\":3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := readEnded(dir, "run", 0, taken(&got))
	if err == nil || !strings.Contains(err.Error(), "line after number 1 is damaged") || len(got) != 1 {
		t.Fatalf("got %v %v", got, err)
	}
}

func TestNoLogIsAnEmptyLog(t *testing.T) {
	t.Parallel()
	if err := readEnded(t.TempDir(), "never", 0, func(Entry) error { return errors.New("a line") }); err != nil {
		t.Fatal(err)
	}
}

func TestARunNeverWritesIntoAnothersLog(t *testing.T) {
	t.Parallel()
	_, dir := openSpool(t)
	if _, err := newSpool(dir, "run"); !errors.Is(err, os.ErrExist) {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkSpool(b *testing.B) {
	s, err := newSpool(b.TempDir(), "run")
	if err != nil {
		b.Fatal(err)
	}
	l := Line{Time: time.Now(), Stream: Stdout, Text: strings.Repeat("x", 100)}
	for b.Loop() {
		if err := s.append(l); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		b.Fatal(err)
	}
}
