package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompress(t *testing.T) {
	t.Parallel()
	s, l := cutLog(t, 1000)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	copyBehind := func(after int64) string {
		return copied(t, func(w func([]byte) error) error { return s.Copy(t.Context(), run, after, w) })
	}
	want := map[int64]string{}
	for after := int64(0); after <= 1000; after += 25 {
		want[after] = copyBehind(after)
	}
	before, err := s.Size(run)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Compress(run); err != nil {
			t.Fatal(err)
		}
		if size, err := s.Size(run); err != nil || size > before/2 {
			t.Errorf("size %d of %d: %v", size, before, err)
		}
		for _, name := range files(t, s) {
			if strings.HasSuffix(name, openEnd) {
				t.Errorf("%s is left", name)
			}
		}
		for after, want := range want {
			if got := copyBehind(after); got != want || got == "" != (after == 1000) {
				t.Fatalf("after %d: %.200s", after, got)
			}
		}
		if got := copied(t, func(w func([]byte) error) error { return l.Copy(t.Context(), 0, true, w) }); got != want[0] {
			t.Error("the closed log reads differently")
		}
	}
}

func TestACompressedLogGoesOn(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1000)
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, 30, 100)...)
	state := l.State()
	if err := errors.Join(l.Close(), s.Compress(run)); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, s, 0)
	if diff := cmp.Diff(state, l.State()); diff != "" {
		t.Error(diff)
	}
	appendLines(t, l, numbered(31, 60, 100)...)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, l, 0); len(got) != 60 || got[59].Seq != 60 {
		t.Errorf("%d lines", len(got))
	}
	if err := errors.Join(l.Close(), s.Compress(run)); err != nil {
		t.Fatal(err)
	}
	if got := readStore(t, s, 0); len(got) != 60 {
		t.Errorf("%d lines", len(got))
	}
}

func TestACompressionThatACrashInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	s := killed(t, 1000, 40)
	want := readStore(t, s, 0)
	first := files(t, s)[0]
	whole, err := os.ReadFile(filepath.Join(s.dir, run, first))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compress(run); err != nil {
		t.Fatal(err)
	}
	// The process ended before it removed a file, and while it wrote another.
	for name, b := range map[string][]byte{first: whole, first + ".zst" + draftEnd: []byte("half")} {
		if err := os.WriteFile(filepath.Join(s.dir, run, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if diff := cmp.Diff(want, readStore(t, s, 0)); diff != "" {
			t.Error(diff)
		}
		if err := s.Compress(run); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files(t, s) {
		if !strings.HasSuffix(name, packedEnd) {
			t.Errorf("%s is left", name)
		}
	}
}

func TestDamageInACompressedSegmentIsTold(t *testing.T) {
	t.Parallel()
	s := killed(t, 1000, 40)
	if err := s.Compress(run); err != nil {
		t.Fatal(err)
	}
	second := files(t, s)[1]
	first, _, _ := parseName(second)
	damageFile(t, s, second, 20)
	var last int64
	err := s.Read(t.Context(), run, 0, func(e Entry) error { last = e.Seq; return nil })
	if err == nil || !strings.Contains(err.Error(), run) || last < first-1 {
		t.Errorf("behind line %d: %v", last, err)
	}
}

func TestReadersAreNotDisturbedByCompression(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1000)
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, 400, 100)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for done := false; !done; {
				select {
				case <-stop:
					done = true
				default:
				}
				for name, read := range map[string]func(fn func(Entry) error) error{
					"store": func(fn func(Entry) error) error { return s.Read(t.Context(), run, 0, fn) },
					"log":   func(fn func(Entry) error) error { return l.Read(t.Context(), 0, true, fn) },
				} {
					lines := int64(0)
					err := read(func(e Entry) error { lines++; return nil })
					if err != nil || lines != 400 {
						t.Errorf("%s: %d lines: %v", name, lines, err)
					}
				}
			}
		})
	}
	for range 2 { // at the same time, too
		wg.Go(func() {
			if err := s.Compress(run); err != nil {
				t.Error(err)
			}
		})
	}
	if err := s.Compress(run); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
}
