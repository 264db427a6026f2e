package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/seal"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// fakeVariable makes this program measure a Runner on engines in memory, and
// nothing else: "loud 200". What it takes is then its own, and not the fleet's.
const fakeVariable = "PREWARM_BENCH_FAKE"

// fakeProcess lets a process of its own measure.
func fakeProcess[T any](ctx context.Context, what string, runs int, listen time.Duration) (answer T, err error) {
	self, err := os.Executable()
	if err != nil {
		return answer, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), fmt.Sprint(fakeVariable, "=", what, " ", runs, " ", listen))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return answer, fmt.Errorf("measure with engines in memory: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return answer, json.Unmarshal(out, &answer)
}

// beFake is the other side of fakeProcess.
func beFake(ctx context.Context, words string, out io.Writer) (err error) {
	var (
		what   string
		runs   int
		listen string
	)
	if _, err := fmt.Sscan(words, &what, &runs, &listen); err != nil {
		return fmt.Errorf("%s=%s: %w", fakeVariable, words, err)
	}
	watched, err := time.ParseDuration(listen)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", fakeVariable, words, err)
	}
	dir, err := os.MkdirTemp("", "prewarm-bench-fake-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var answer any
	switch what {
	case "loud":
		answer, err = measureLoudness(ctx, dir, runs, watched)
	case "recovery":
		answer, err = measureRecovery(ctx, dir, runs)
	default:
		err = fmt.Errorf("%s=%s: nothing is called like that", fakeVariable, words)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

// talker is an engine in memory whose containers print lines for as long as they
// live, so many a second. It makes them when they are read, and keeps none.
type talker struct {
	*dockertest.Fake
	every time.Duration // a line
	text  string
	begun sync.Map // when a container's log was first read, by id
	// followed counts the logs that were begun to be followed.
	followed atomic.Int64
}

// Logs makes the lines that are due.
func (t *talker) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	t.followed.Add(1)
	first, _ := t.begun.LoadOrStore(id, time.Now())
	begin := first.(time.Time)
	next := 0
	if since.After(begin) {
		next = int(since.Sub(begin) / t.every)
	}
	for {
		for due := int(time.Since(begin) / t.every); next < due; next++ {
			line := runner.Line{Time: begin.Add(time.Duration(next) * t.every), Stream: runner.Stdout, Text: t.text}
			if err := emit(line); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		if err := pause(ctx, lookPause); err != nil {
			return err
		}
	}
}

// fakeImages has one image, warm on all hosts.
type fakeImages struct {
	pin   registry.Pin
	hosts []string
}

func (i fakeImages) Resolve(string) (runner.Target, error) {
	return runner.Target{Image: "jobs", Track: "jobs", Pin: i.pin}, nil
}

func (i fakeImages) Fresh(context.Context, string) (runner.Target, error) { return i.Resolve("") }

func (i fakeImages) WarmHosts(string, registry.Pin) ([]string, map[string]string) {
	return i.hosts, nil
}

func (i fakeImages) Facts(host string) runner.Facts {
	return runner.Facts{Marker: host, Known: true, Reachable: true, Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, CPUs: 64, Memory: 1 << 40}
}

func (fakeImages) Changed() <-chan struct{} { return nil }

func (fakeImages) Seek(context.Context, string, registry.Pin) {}

func (fakeImages) Recheck(string) {}

func (fakeImages) Kick() {}

// fakeLife is a Runner on engines in memory, with a real store and real logs.
type fakeLife struct {
	*runner.Runner
	store *store.Store
	end   context.CancelFunc
	ended chan error
}

// liveOn begins a life of a Runner over what an earlier one left in dir.
func liveOn(ctx context.Context, dir string, engines []*talker) (*fakeLife, error) {
	pin := dockertest.Pin("registry.test/etl/jobs", 1)
	kept, err := store.Open(ctx, filepath.Join(dir, "state"))
	if err != nil {
		return nil, err
	}
	logs, err := spool.New(spool.Options{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	images, setup := fakeImages{pin: pin}, runner.Setup{MaxQueued: manyRuns * len(engines)}
	for i, e := range engines {
		e.Push(pin, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{1})
		e.Load(pin)
		name := fmt.Sprint("fake-", i)
		images.hosts = append(images.hosts, name)
		setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: e, Slots: manyRuns})
	}
	l := &fakeLife{store: kept, ended: make(chan error, 1), Runner: runner.New(runner.Options{
		Setup: setup, Images: images, Store: kept, Spool: logs, Sealer: seal.None{}, ReadFile: os.ReadFile,
		Logger: slog.New(slog.DiscardHandler),
	})}
	if err := l.Recover(ctx); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	ctx, l.end = context.WithCancel(ctx)
	go func() { l.ended <- l.Run(ctx) }()
	return l, nil
}

// close lets go of the runs: their containers go on.
func (l *fakeLife) close() error {
	l.end()
	return errors.Join(<-l.ended, l.store.Close())
}

// begin submits runs and waits until all are followed.
func (l *fakeLife) begin(ctx context.Context, runs int, engines []*talker) error {
	for range runs {
		ask := runner.Ask{Spec: runner.Spec{Image: "jobs", Command: []string{"sleep", "24h"}}}
		if _, err := l.Submit(ctx, ask); err != nil {
			return err
		}
	}
	return awaitFollowed(ctx, engines, runs)
}

// awaitFollowed waits until so many logs are followed.
func awaitFollowed(ctx context.Context, engines []*talker, runs int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		sum := 0
		for _, e := range engines {
			sum += int(e.followed.Load())
		}
		if sum >= runs {
			return nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d logs are followed: %w", sum, runs, err)
		}
	}
}

func newTalkers(n int, every time.Duration, text string) []*talker {
	var all []*talker
	for i := range n {
		all = append(all, &talker{Fake: dockertest.NewFake(dockertest.Options{Name: fmt.Sprint("fake-", i)}), every: every, text: text})
	}
	return all
}

// loudness is what many runs take that print much.
type loudness struct {
	Before, Most int64         // bytes of memory
	Rate         float64       // bytes a second that were written to all logs
	For          time.Duration // that was measured
}

func measureLoudness(ctx context.Context, dir string, runs int, listen time.Duration) (a loudness, err error) {
	const line = 1000 // 1 MB a second of a thousand of them
	engines := newTalkers(memoryHosts, time.Millisecond, strings.Repeat("x", line-1))
	l, err := liveOn(ctx, dir, engines)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := pause(ctx, time.Second); err != nil {
		return a, err
	}
	if a.Before, err = residentBytes(os.Getpid()); err != nil {
		return a, err
	}
	memory := watchMemory(os.Getpid())
	if err := l.begin(ctx, runs, engines); err != nil {
		return a, errors.Join(err, memory.stop())
	}
	logs := filepath.Join(dir, "logs")
	first, sizeErr := folderSize(logs)
	begin := time.Now()
	pauseErr := pause(ctx, listen)
	last, err := folderSize(logs)
	a.For = time.Since(begin).Round(time.Second)
	a.Rate = float64(last-first) / time.Since(begin).Seconds()
	err = errors.Join(sizeErr, pauseErr, err, memory.stop())
	a.Most = memory.most
	return a, err
}

// recoveryTime is how long the next life of a server takes.
type recoveryTime struct {
	Read, Followed time.Duration // until the store was read; until all runs are followed
}

func measureRecovery(ctx context.Context, dir string, runs int) (a recoveryTime, err error) {
	engines := newTalkers(memoryHosts, time.Second, "a line a second")
	l, err := liveOn(ctx, dir, engines)
	if err != nil {
		return a, err
	}
	if err := errors.Join(l.begin(ctx, runs, engines), l.close()); err != nil {
		return a, err
	}
	for _, e := range engines {
		e.followed.Store(0)
	}
	begin := time.Now()
	if l, err = liveOn(ctx, dir, engines); err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	a.Read = time.Since(begin)
	err = awaitFollowed(ctx, engines, runs)
	a.Followed = time.Since(begin)
	return a, err
}
