package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
)

// large is a run of the size that an Airflow task has.
func large(n int) runner.Run {
	spec := runner.Spec{Image: "node-jobs:latest", Command: []string{"node", "dist/import.js", "--day", "2026-11-22"}, Memory: 2 << 30}
	for v := range 12 {
		spec.Env = append(spec.Env, fmt.Sprintf("AIRFLOW_CTX_VARIABLE_%d=a value of the usual length", v))
	}
	return runner.Run{
		ID: fmt.Sprintf("%08d", n), Asked: spec, Spec: spec, Image: "node-jobs", Track: "node-jobs", Pin: writerPin, Host: fmt.Sprint("etl-", n%3),
		Terms:       runner.Terms{Namespace: "default", Key: fmt.Sprintf("etl/day/task/%d", n/2), Scope: fmt.Sprint("etl/", n/20), Join: runner.JoinSuccess},
		Idempotency: fmt.Sprintf("a-word-of-the-call-%d", n), State: runner.Succeeded, Submitted: time.UnixMicro(int64(n) * 1e6), Ended: time.UnixMicro(int64(n)*1e6 + 1),
	}
}

func openBench(b *testing.B) (*store.Store, string) {
	b.Helper()
	dir := b.TempDir()
	s, err := store.Open(context.Background(), dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s, dir
}

// openFull gives a state with ended runs.
func openFull(b *testing.B, runs int) *store.Store {
	b.Helper()
	s, dir := openBench(b)
	if err := store.Fast(dir, func(insert func(r runner.Run) error) error {
		for n := range runs {
			if err := insert(large(n)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkInsertRun(b *testing.B) {
	for name, sealed := range map[string][]byte{"plain": nil, "with secrets": make([]byte, 300)} {
		b.Run(name, func(b *testing.B) {
			s := openFull(b, 10000)
			for n := 10000; b.Loop(); n++ {
				r := large(n)
				scope := runner.Scope{Namespace: "default", Name: r.Terms.Scope, Pins: []runner.ScopePin{{Track: "node-jobs", Image: "node-jobs", Pin: r.Pin}}}
				if err := s.InsertRun(b.Context(), r, sealed, &scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A run that ends is written with what people are told of it.
func BenchmarkUpdateRunWithANotice(b *testing.B) {
	s := openFull(b, 10000)
	for n := 0; b.Loop(); n++ {
		if err := s.UpdateRun(b.Context(), large(n*7%10000), notice.New(notice.RunFailed)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateRun(b *testing.B) {
	s := openFull(b, 10000)
	for n := 0; b.Loop(); n++ {
		if err := s.UpdateRun(b.Context(), large(n*7%10000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	const all = 100000
	s := openFull(b, all)
	for n := range 1000 {
		r := large(all + n)
		r.State = runner.Running
		if err := s.InsertRun(b.Context(), r, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		find func(ctx context.Context, n int) (int, error)
		want int
	}{
		{"UnfinishedRuns", func(ctx context.Context, _ int) (int, error) { return count(s.UnfinishedRuns(ctx)) }, 1000},
		{"ByKey", func(ctx context.Context, n int) (int, error) {
			return count(s.ByKey(ctx, "default", fmt.Sprintf("etl/day/task/%d", n*7%(all/2))))
		}, 2},
		{"ByIdempotency", func(ctx context.Context, n int) (int, error) {
			_, err := s.ByIdempotency(ctx, "default", fmt.Sprintf("a-word-of-the-call-%d", n*7%all))
			return 1, err
		}, 1},
		{"Page", func(ctx context.Context, _ int) (int, error) { return count(s.Runs(ctx, runner.Filter{Limit: 100})) }, 100},
		{"PageOfStates", func(ctx context.Context, _ int) (int, error) {
			return count(s.Runs(ctx, runner.Filter{Limit: 100, States: []runner.State{runner.Succeeded, runner.Failed}}))
		}, 100},
		{"PageOfHostAndState", func(ctx context.Context, _ int) (int, error) {
			return count(s.Runs(ctx, runner.Filter{Limit: 100, Host: "etl-1", States: []runner.State{runner.Failed}}))
		}, 0},
		{"PageOfImageAndStates", func(ctx context.Context, _ int) (int, error) {
			return count(s.Runs(ctx, runner.Filter{Limit: 100, Image: "node-jobs", States: []runner.State{runner.Failed, runner.Lost}}))
		}, 0},
		{"EndedBefore", func(ctx context.Context, _ int) (int, error) {
			return count(s.EndedBefore(ctx, time.UnixMicro(all*1e6/2), 100))
		}, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				if got, err := c.find(b.Context(), n); err != nil || got != c.want {
					b.Fatalf("got %d %v, want %d", got, err, c.want)
				}
			}
		})
	}
}

func count(runs []runner.Run, err error) (int, error) { return len(runs), err }

// BenchmarkOpen is the start of a server with ten thousand ended runs, which are
// checked; cold is the first start after a boot.
func BenchmarkOpen(b *testing.B) {
	s, dir := openBench(b)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if err := store.Fast(dir, func(insert func(r runner.Run) error) error {
		for n := range 10000 {
			if err := insert(large(n)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for _, cold := range []bool{false, true} {
		b.Run(map[bool]string{false: "warm", true: "cold"}[cold], func(b *testing.B) {
			for b.Loop() {
				if cold {
					b.StopTimer()
					forget(b, filepath.Join(dir, "prewarm.db"))
					b.StartTimer()
				}
				s, err := store.Open(b.Context(), dir)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// forget takes a file out of the kernel's memory.
func forget(b *testing.B, path string) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // what is not on disk can't be forgotten
		b.Fatal(err)
	}
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
		b.Fatal(e)
	}
}

// BenchmarkSnapshot copies a database of some 300 MB, and tells how long others
// wait for their writes meanwhile.
func BenchmarkSnapshot(b *testing.B) {
	const runs = 70_000
	s := openFull(b, runs)
	n := runs
	write := func(begun time.Time) time.Duration {
		n++
		if err := s.InsertRun(context.Background(), large(n), nil, nil); err != nil {
			b.Fatal(err)
		}
		return time.Since(begun)
	}
	var idle, busy []time.Duration
	for range 200 {
		idle = append(idle, write(time.Now()))
	}
	var size int64
	for b.Loop() {
		to := filepath.Join(b.TempDir(), store.Database)
		done := make(chan error, 1)
		go func() {
			_, err := s.Snapshot(context.Background(), to)
			done <- err
		}()
		for going := true; going; {
			select {
			case err := <-done:
				if err != nil {
					b.Fatal(err)
				}
				going = false
			default:
				busy = append(busy, write(time.Now()))
			}
		}
		info, err := os.Stat(to)
		if err != nil {
			b.Fatal(err)
		}
		size = info.Size()
	}
	slices.Sort(idle)
	slices.Sort(busy)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(size>>20), "MiB")
	b.ReportMetric(ms(idle[len(idle)/2]), "ms-write-before")
	b.ReportMetric(ms(idle[len(idle)-1]), "ms-worst-before")
	b.ReportMetric(ms(busy[len(busy)/2]), "ms-write-meanwhile")
	b.ReportMetric(ms(busy[len(busy)-1]), "ms-worst-meanwhile")
	b.ReportMetric(float64(len(busy)), "writes-meanwhile")
}
