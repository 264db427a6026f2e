package spool

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// exported copies a log into a store of its own.
func exported(t *testing.T, s *Store) *Store {
	t.Helper()
	to := newStore(t, 0)
	if err := os.Mkdir(filepath.Join(to.dir, run), 0o700); err != nil {
		t.Fatal(err)
	}
	err := s.Export(run, func(name string, size int64, r io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(r, size))
		if err != nil || int64(len(b)) != size {
			t.Errorf("%s: %d of %d bytes: %v", name, len(b), size, err)
		}
		return os.WriteFile(filepath.Join(to.dir, run, name), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Whatever becomes of a log while it is exported, the copy is one: each line that
// was there at the beginning is in it, or the word that it was cut.
func TestALogIsExportedWhileItIsWritten(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int64{"growing": 0, "being cut": leastBound} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, 4<<10)
			l := openLog(t, s, limit)
			stop := make(chan struct{})
			var writing sync.WaitGroup
			writing.Go(func() {
				for n := 1; ; n++ {
					select {
					case <-stop:
						return
					default:
						appendLines(t, l, numbered(n, n, 200)...)
						flush(t, l)
						time.Sleep(50 * time.Microsecond) // or the log outgrows its copies
					}
				}
			})
			for range 20 {
				before := l.State().Lines - 1 // the last one may wait to be flushed
				copied := exported(t, s)
				again, err := copied.Open(run, limit) // as after a crash: the last line may be half
				if err != nil {
					t.Fatal(err)
				}
				next := int64(1)
				for _, e := range readLog(t, again, 0) {
					if e.Seq != next && e.Stream != server {
						t.Fatalf("line %d follows line %d without a word", e.Seq, next-1)
					}
					next = e.Seq + 1
				}
				if next <= before {
					t.Fatalf("the copy ends with line %d, and line %d was there", next-1, before)
				}
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
			close(stop)
			writing.Wait()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Compress(run); err != nil {
				t.Fatal(err)
			}
			if got, want := len(readStore(t, exported(t, s), 0)), len(readStore(t, s, 0)); got != want {
				t.Errorf("%d lines of the compressed log, want %d", got, want)
			}
		})
	}
}

func TestWhatIsHeldIsRemovedLater(t *testing.T) {
	t.Parallel()
	s, l := cutLog(t, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	first, second := s.Hold(), s.Hold()
	if err := s.Remove(run); err != nil {
		t.Fatal(err)
	}
	for _, release := range []func() error{first, first, second} {
		if len(readStore(t, s, 0)) == 0 {
			t.Fatal("it was removed while it was held")
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
	if runs, err := s.Runs(); err != nil || len(runs) != 0 {
		t.Errorf("left %q %v", runs, err)
	}
}

func TestALogThatIsNotThereIsExportedAsNothing(t *testing.T) {
	t.Parallel()
	err := newStore(t, 0).Export(run, func(name string, _ int64, _ io.Reader) error {
		t.Errorf("it has %s", name)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
