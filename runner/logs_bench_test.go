package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// firehose is an engine whose containers print lines without end of their own
// cost.
type firehose struct {
	*dockertest.Fake
	lines []runner.Line
}

func (f *firehose) Logs(ctx context.Context, id string, since time.Time, _ bool, emit func(runner.Line) error) error {
	for _, l := range f.lines {
		if l.Time.Before(since) {
			continue
		}
		if err := emit(l); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLines takes lines from an engine that costs nothing to a reader that
// follows, through the spool on disk.
func BenchmarkLines(b *testing.B) {
	logs, err := spool.New(spool.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	engine := &firehose{Fake: dockertest.NewFake(dockertest.Options{Name: "a"})}
	engine.Push(one, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{1})
	engine.Load(one)
	begun := time.Now()
	for i := range b.N {
		engine.lines = append(engine.lines, runner.Line{Time: begun.Add(time.Duration(i) * time.Microsecond), Stream: runner.Stdout, Text: fmt.Sprintf("%-80d", i)})
	}
	i := &images{changed: make(chan struct{})}
	i.set(one, "a")
	r := runner.New(runner.Options{
		Setup:  runner.Setup{Hosts: []runner.HostOptions{{Name: "a", Engine: engine, Slots: 1}}},
		Images: i, Store: newMemory(), Spool: logs, Sealer: plain{}, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	b.ResetTimer()
	answer, err := r.Submit(ctx, command("print"))
	if err != nil {
		b.Fatal(err)
	}
	read := 0
	if err := r.CopyLog(ctx, answer.Run.ID, 0, true, func(chunk []byte) error { read += strings.Count(string(chunk), "\n"); return nil }); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if read != b.N {
		b.Errorf("read %d lines of %d", read, b.N)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
