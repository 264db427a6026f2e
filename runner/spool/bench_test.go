package spool

import (
	"context"
	"strings"
	"sync"
	"testing"
)

// BenchmarkAppend writes lines of 80 bytes, within a bound that it passes.
func BenchmarkAppend(b *testing.B) {
	for name, limit := range map[string]int64{"bound=64MiB": 64 << 20, "bound=1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			l := openLog(b, newStore(b, 0), limit)
			e := entry(1, strings.Repeat("x", 80))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(e); err != nil {
					b.Fatal(err)
				}
			}
			flush(b, l)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// written is a log of 64 MiB.
func written(b *testing.B) (*Store, *Log, int64) {
	s := newStore(b, 0)
	l := openLog(b, s, 0)
	e := entry(1, strings.Repeat("x", 80))
	for range 300_000 {
		if err := l.Append(e); err != nil {
			b.Fatal(err)
		}
	}
	flush(b, l)
	size, err := s.Size(run)
	if err != nil {
		b.Fatal(err)
	}
	return s, l, size
}

func BenchmarkCopy(b *testing.B) {
	_, l, size := written(b)
	b.SetBytes(size)
	for b.Loop() {
		if err := l.Copy(b.Context(), 0, false, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	_, l, size := written(b)
	b.SetBytes(size)
	for b.Loop() {
		if err := l.Read(b.Context(), 0, false, func(Entry) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCopyEnd asks for the last line alone.
func BenchmarkCopyEnd(b *testing.B) {
	_, l, _ := written(b)
	for b.Loop() {
		if err := l.Copy(b.Context(), 299_999, false, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, l, size := written(b)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		l, err := s.Open(run, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompressed(b *testing.B) {
	s, l, size := written(b)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	if err := s.Compress(run); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		if err := s.Copy(b.Context(), run, 0, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFollow writes while three followers read.
func BenchmarkFollow(b *testing.B) {
	l := openLog(b, newStore(b, 0), 0)
	e := entry(1, strings.Repeat("x", 80))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := l.Copy(context.Background(), 0, true, func([]byte) error { return nil }); err != nil {
				b.Error(err)
			}
		})
	}
	for b.Loop() {
		if err := l.Append(e); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
