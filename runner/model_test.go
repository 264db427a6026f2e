package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// act is what a container's program really did.
type act struct {
	run, host    string
	begun, ended time.Time
	over         bool
	code         int
	killed       bool      // the engine ended it
	signaled     time.Time // it got its stop signal
	printed      map[runner.Stream][]string
}

// done tells that the program succeeded and nobody had a hand in it.
func (a *act) done() bool { return a.over && a.code == 0 && !a.killed && a.signaled.IsZero() }

// truth is what really happened, as nobody but a test can know it.
type truth struct {
	store *memory

	mu       sync.Mutex
	acts     []*act
	shocks   map[string][]time.Time // of a host: when its engine ended or was replaced
	clocks   map[string][]time.Time // of a host: when its clock was set
	cuts     map[string][]cut       // of a host
	freed    map[string]bool        // runs that an admin released
	broken   string                 // the first promise that was
	changing map[string]bool        // runs whose success is being rejected
}

// cut is a time in which a host did not answer, or lied.
type cut struct{ from, to time.Time }

func newTruth(store *memory) *truth {
	return &truth{store: store, shocks: map[string][]time.Time{}, clocks: map[string][]time.Time{}, cuts: map[string][]cut{}, freed: map[string]bool{}, changing: map[string]bool{}}
}

func (w *truth) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// note is fail for who holds mu.
func (w *truth) note(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

func (w *truth) failure() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// shock notes that a host's engine ends or is replaced now.
func (w *truth) shock(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shocks[host] = append(w.shocks[host], time.Now())
}

// hide notes that a host does not answer from now on, or does again.
func (w *truth) hide(host string, hidden bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.cuts[host]
	under := len(all) > 0 && all[len(all)-1].to.IsZero()
	switch {
	case hidden && !under:
		w.cuts[host] = append(all, cut{from: time.Now()})
	case !hidden && under:
		all[len(all)-1].to = time.Now()
	}
}

// shocked tells whether a host's engine ended or was replaced meanwhile.
func (w *truth) shocked(host string, from, to time.Time) bool {
	return within(w.shocks[host], from, to)
}

func within(all []time.Time, from, to time.Time) bool {
	return slices.ContainsFunc(all, func(at time.Time) bool { return !at.Before(from) && !at.After(to) })
}

// hidden tells whether a host did not answer for a while meanwhile.
func (w *truth) hidden(host string, from, to time.Time) bool {
	return slices.ContainsFunc(w.cuts[host], func(c cut) bool {
		return c.from.Before(to) && (c.to.IsZero() || c.to.After(from))
	})
}

// begin notes that the program of a run begins on a host, and whether it may.
func (w *truth) begin(host, id string) *act {
	run, err := w.store.Run(context.Background(), id)
	w.mu.Lock()
	defer w.mu.Unlock()
	a := &act{run: id, host: host, begun: time.Now(), printed: map[runner.Stream][]string{}}
	if err != nil {
		w.note("a container of run %s was started, which is not on disk", id)
	}
	for _, other := range w.acts {
		if other.run == id {
			w.note("run %s was started twice", id)
			continue
		}
		if run.Terms.Key != "" {
			w.compete(a, run, other)
		}
	}
	w.acts = append(w.acts, a)
	return a
}

// compete looks whether a run may begin beside, or after, another act.
func (w *truth) compete(a *act, run runner.Run, other *act) {
	before, err := w.store.Run(context.Background(), other.run)
	if err != nil || before.Terms.Key != run.Terms.Key || w.freed[other.run] {
		return
	}
	// What an engine that ended or was replaced has forgotten can't be known; nor
	// can it once the run's caller did not want it any more.
	known := other.done() && !w.shocked(other.host, other.begun, a.begun) && before.Stop.Why == ""
	if !known || run.Terms.Join != runner.JoinSuccess || before.Terms.Epoch != run.Terms.Epoch || before.Rejected || w.changing[before.ID] {
		return
	}
	for _, between := range w.store.which(func(r runner.Run) bool { return r.Terms.Key == run.Terms.Key && r.Terms.Epoch == run.Terms.Epoch }) {
		later := between.ID > before.ID && between.ID <= run.ID
		if later && (between.Terms.Join == runner.JoinActive || !cmp.Equal(between.Asked, before.Asked)) {
			return // it was begun anew, or another piece of work took its place, on purpose
		}
	}
	w.note("run %s was started after %s of the same key and epoch had succeeded", run.ID, other.run)
}

// together tells of two containers of one key that ran at the same time.
func (w *truth) together() {
	keys := map[string]string{}
	for _, run := range w.store.which(func(runner.Run) bool { return true }) {
		keys[run.ID] = run.Terms.Key
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, later := range w.acts {
		for _, a := range w.acts[:i] {
			if keys[a.run] != "" && keys[a.run] == keys[later.run] && (!a.over || a.ended.After(later.begun)) && !w.freed[a.run] {
				w.note("run %s was started while the container of %s ran, which has the same key", later.run, a.run)
			}
		}
	}
}

func (w *truth) end(a *act, code int, killed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.over, a.code, a.killed, a.ended = true, code, killed, time.Now()
}

// of gives what the container of a run did; nil: it was never started.
func (w *truth) of(run string) *act {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.acts, func(a *act) bool { return a.run == run })
	if i < 0 {
		return nil
	}
	return w.acts[i]
}

// hurry keeps the instants at which programs do something apart from those of
// the server and of the world: which of two comes first is then no accident.
const hurry = 13 * time.Microsecond

// planted is a secret that programs print.
const planted = "pl4nted-s3cret"

// program gives what containers of a host execute: act LINES PAUSE CODE WORDS,
// with the words deaf (it ignores the stop signal), result, secret.
func (w *truth) program(host string) dockertest.Program {
	return func(ctx context.Context, p *dockertest.Process) int {
		id := ""
		for _, e := range p.Env {
			if name, value, _ := strings.Cut(e, "="); name == "RUN" {
				id = value
			}
		}
		a := w.begin(host, id)
		code := w.play(ctx, p, a)
		w.end(a, code, ctx.Err() != nil)
		return code
	}
}

func (w *truth) play(ctx context.Context, p *dockertest.Process, a *act) int {
	lines, _ := strconv.Atoi(p.Args[0])
	pace, _ := time.ParseDuration(p.Args[1])
	code, _ := strconv.Atoi(p.Args[2])
	words := p.Args[3:]
	if slices.Contains(words, "result") {
		p.WriteFile(resultFile, []byte(`{"lines":`+p.Args[0]+`}`))
	}
	for i := range lines {
		w.print(p, a, i+1, slices.Contains(words, "secret"))
		if ended, stopped := w.rest(ctx, p, a, pace+hurry, slices.Contains(words, "deaf")); ended {
			return stopped
		}
	}
	return code
}

const resultFile = "/out/result.json"

// print prints a numbered line on one of the streams.
func (w *truth) print(p *dockertest.Process, a *act, n int, secret bool) {
	to, stream := p.Stdout, runner.Stdout
	if n%3 == 0 && !p.Spec.TTY {
		to, stream = p.Stderr, runner.Stderr
	}
	text, shown := fmt.Sprint("line ", n), fmt.Sprint("line ", n)
	if secret && n%2 == 0 {
		text, shown = text+" "+planted, shown+" ***"
	}
	if _, err := to.Write([]byte(text + "\n")); err != nil {
		w.fail("print: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a.printed[stream] = append(a.printed[stream], shown)
}

// rest waits, and tells whether and how a stop ends the program meanwhile.
func (w *truth) rest(ctx context.Context, p *dockertest.Process, a *act, d time.Duration, deaf bool) (ended bool, code int) {
	t := time.NewTimer(d)
	defer t.Stop()
	stopped := p.Stopped
	for {
		select {
		case <-t.C:
			return false, 0
		case <-ctx.Done():
			return true, 137
		case <-stopped:
			w.mu.Lock()
			if a.signaled.IsZero() {
				a.signaled = time.Now()
			}
			w.mu.Unlock()
			if !deaf {
				return true, 0
			}
			stopped = nil
		}
	}
}

// warmth is what is known of the hosts' images: jobs, warm where it is held.
type warmth struct {
	hosts map[string]*dockertest.Fake

	mu      sync.Mutex
	current registry.Pin
	known   map[string]map[registry.Pin]bool
	down    map[string]bool
	wiped   map[string]int
	offset  map[string]time.Duration
	changed chan struct{}
}

func newWarmth(hosts map[string]*dockertest.Fake) *warmth {
	i := &warmth{
		hosts: hosts, current: one, known: map[string]map[registry.Pin]bool{}, down: map[string]bool{},
		wiped: map[string]int{}, offset: map[string]time.Duration{}, changed: make(chan struct{}),
	}
	for name := range hosts {
		i.warm(name)
	}
	return i
}

func (i *warmth) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	do()
	close(i.changed)
	i.changed = make(chan struct{})
}

// warm pulls both digests to a host.
func (i *warmth) warm(host string) {
	for _, pin := range []registry.Pin{one, two} {
		i.hosts[host].Push(pin, registry.Platform{OS: "linux", Architecture: "amd64"}, []int64{1})
		i.hosts[host].Load(pin)
	}
	i.change(func() { i.known[host] = map[registry.Pin]bool{one: true, two: true} })
}

func (i *warmth) Resolve(name string) (runner.Target, error) {
	if name != "jobs" {
		return runner.Target{}, problem.New(problem.ImageNotManaged, "no image "+name, "")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	target := runner.Target{Image: "jobs", Track: "jobs", Pin: i.current}
	if i.current.IsZero() {
		return target, problem.New(problem.NoCurrent, "jobs has no current digest", "")
	}
	return target, nil
}

func (i *warmth) Fresh(context.Context, string) (runner.Target, error) {
	return runner.Target{Image: "jobs", Track: "jobs", Pin: two}, nil
}

func (i *warmth) WarmHosts(_ string, pin registry.Pin) ([]string, map[string]string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var warm []string
	cold := map[string]string{}
	for _, host := range []string{"a", "b"} {
		switch {
		case i.down[host]:
			cold[host] = "unreachable"
		case !i.known[host][pin]:
			cold[host] = "pulling"
		default:
			warm = append(warm, host)
		}
	}
	return warm, cold
}

func (i *warmth) Facts(host string) runner.Facts {
	i.mu.Lock()
	defer i.mu.Unlock()
	return runner.Facts{
		Marker: fmt.Sprintf("marker-%s-%d", host, i.wiped[host]), Known: true, Reachable: !i.down[host], ClockOffset: i.offset[host],
		Platform: registry.Platform{OS: "linux", Architecture: "amd64"}, CPUs: 4, Memory: 4 << 30,
	}
}

func (i *warmth) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

func (i *warmth) Kick() {}

// Recheck finds out that a host has nothing, and warms it within a while.
// Seek has nobody to ask.
func (i *warmth) Seek(context.Context, string, registry.Pin) {}

func (i *warmth) Recheck(host string) {
	i.change(func() { i.known[host] = nil })
	time.AfterFunc(20*time.Second, func() { i.warm(host) })
}
