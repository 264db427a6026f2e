package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

// Whatever happens to the server, its hosts and its callers: no piece of work
// has two containers, every run gets its true outcome, and no line of a log is
// doubled, or missing without a word.
func TestSurvivesAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		// The draws come first: rapid's own goroutines don't belong in a bubble.
		ops := rapid.SliceOfN(rapid.Custom(drawOp), 10, 60).Draw(rt, "ops")
		dir, err := os.MkdirTemp("", "survives")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var failure string
		synctest.Test(t, func(*testing.T) { failure = survive(dir, ops) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// op is something that happens.
type op struct {
	what  string
	host  string
	call  dockertest.Call
	n     int // which of what there is
	yes   bool
	ask   runner.Ask
	pause time.Duration
}

// GoString tells what happens in a line: rapid prints all of a failure's.
func (o op) GoString() string {
	words := fmt.Sprintf("%s %s n=%d %t", o.what, o.host, o.n, o.yes)
	switch a := o.ask; o.what {
	case "submit":
		spec := a.Spec
		words = fmt.Sprintf("submit %v tty=%t volume=%q word=%q %+v conflict=%q", spec.Command, spec.TTY, spec.ScopeVolume, a.Idempotency, a.Terms, a.OnConflict)
	case "fault":
		words += " " + string(o.call)
	}
	return fmt.Sprintf("\n%s; then %s", words, o.pause)
}

// ops are what can happen; what happens often stands there often.
var ops = []string{
	"submit", "submit", "submit", "submit", "submit", "again", "again", "cancel", "cancel", "reject", "release",
	"crash", "crash", "crash", "crash", "restart", "down server",
	"engine", "engine", "halt", "resume", "live-restore", "stopping", "not stopping",
	"cut", "cut", "mend", "mend", "wipe", "clock", "lose", "fault", "fault", "fault", "rotate",
	"promote", "nothing current", "end scope", "repin", "store fails", "store works",
	"follow", "follow", "lose reader", "look", "time",
}

// planned is the least n of a crash that comes with the (n-planned)-th effect
// from then on; one below comes at once.
const planned = 8

func drawOp(t *rapid.T) op {
	o := op{
		what: rapid.SampledFrom(ops).Draw(t, "what"),
		host: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "host"),
		n:    rapid.IntRange(0, 30).Draw(t, "n"),
		yes:  rapid.Bool().Draw(t, "yes"),
	}
	switch o.what {
	case "submit":
		o.ask = drawAsk(t)
	case "fault":
		o.call = rapid.SampledFrom([]dockertest.Call{
			dockertest.CallCreate, dockertest.CallStart, dockertest.CallLook, dockertest.CallWait, dockertest.CallLogs, dockertest.CallConfirm,
			dockertest.CallSecrets, dockertest.CallResult, dockertest.CallStop, dockertest.CallRemove, dockertest.CallOwned,
			dockertest.CallMakeVolume, dockertest.CallRemoveVolume,
		}).Draw(t, "call")
	}
	o.pause = time.Duration(rapid.OneOf(
		rapid.Just(0), rapid.IntRange(0, 3_000), rapid.IntRange(0, 90_000), rapid.IntRange(0, 5_000_000),
	).Draw(t, "pause")) * time.Millisecond
	return o
}

// drawAsk makes a submit. Those of one key mean the same work, mostly.
func drawAsk(t *rapid.T) runner.Ask {
	words := []string{
		"act",
		rapid.SampledFrom([]string{"0", "1", "7", "30"}).Draw(t, "lines"),
		rapid.SampledFrom([]string{"0s", "5ms", "1s", "10s", "5m"}).Draw(t, "pace"),
		rapid.SampledFrom([]string{"0", "0", "0", "1", "137", "255"}).Draw(t, "code"),
	}
	ask := runner.Ask{Idempotency: rapid.SampledFrom([]string{"", "", "w1", "w2", "w3"}).Draw(t, "word")}
	terms := &ask.Terms
	terms.Key = rapid.SampledFrom([]string{"", "k1", "k1", "k2"}).Draw(t, "key")
	if terms.Key != "" {
		terms.Epoch = int64(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "epoch"))
		terms.Join = rapid.SampledFrom([]runner.Join{runner.JoinActive, runner.JoinSuccess, runner.JoinSuccess}).Draw(t, "join")
		ask.OnConflict = rapid.SampledFrom([]runner.OnConflict{"", runner.ConflictJoin, runner.ConflictReplace}).Draw(t, "conflict")
		if rapid.IntRange(0, 3).Draw(t, "same") > 0 {
			words = map[string][]string{"k1": {"act", "7", "10s", "0"}, "k2": {"act", "30", "1m", "0"}}[terms.Key]
		}
	}
	drawTerms(t, terms)
	if rapid.IntRange(0, 4).Draw(t, "deaf") == 0 {
		words = append(words, "deaf")
	}
	if rapid.IntRange(0, 3).Draw(t, "secret") == 0 {
		words = append(words, "secret")
		ask.Spec.SecretEnv = []runner.SecretEnv{{Name: "TOKEN"}}
		ask.Secrets = map[string]string{"TOKEN": planted}
	}
	if rapid.IntRange(0, 3).Draw(t, "result") == 0 {
		words = append(words, "result")
		ask.Spec.Result = resultFile
	}
	ask.Spec.TTY = rapid.IntRange(0, 5).Draw(t, "tty") == 0
	if terms.Scope != "" && rapid.Bool().Draw(t, "volume") {
		ask.Spec.ScopeVolume = "/work"
		terms.KeepVolume = rapid.IntRange(0, 5).Draw(t, "keep") == 0
	}
	ask.Spec.Image, ask.Spec.Command = "jobs", words
	return ask
}

// skipped is the exit code with which programs say that there is nothing to do.
const skipped = 1

func drawTerms(t *rapid.T, terms *runner.Terms) {
	terms.Scope = rapid.SampledFrom([]string{"", "", "s1", "s2"}).Draw(t, "scope")
	terms.Limit = rapid.SampledFrom([]time.Duration{0, 0, 0, 3 * time.Second, time.Minute, 30 * time.Minute}).Draw(t, "limit")
	terms.WaitWarm = rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "wait")
	terms.Fresh = rapid.IntRange(0, 9).Draw(t, "fresh") == 0
	terms.Priority = rapid.IntRange(0, 2).Draw(t, "priority")
	terms.Group = rapid.SampledFrom([]string{"", "", "", "g"}).Draw(t, "group")
	if terms.Try = rapid.IntRange(0, 2).Draw(t, "try"); terms.Try > 0 {
		terms.Tries = 2
	}
	if rapid.Bool().Draw(t, "skips") {
		terms.SkipExitCodes = []int{skipped}
	}
	if rapid.IntRange(0, 3).Draw(t, "cares") == 0 {
		terms.Keepalive = 2 * time.Minute
		terms.KeepaliveAction = rapid.SampledFrom([]runner.KeepaliveAction{runner.KeepaliveReport, runner.KeepaliveStop}).Draw(t, "action")
	}
}

// ordeal is a server with two hosts, to which things happen.
type ordeal struct {
	*truth
	images *warmth
	hosts  map[string]*dockertest.Fake
	folder string          // of the lives' spools
	lives  int             // that were killed
	words  bytes.Buffer    // what the server logs
	away   map[string]bool // hosts whose engine was ended

	life  *incarnation // nil: the server is down
	r     *runner.Runner
	ended chan struct{}

	runs    []string                // that a submit answered, in order
	asked   []runner.Ask            // what was submitted
	calls   map[string]runner.Ask   // by word
	answers map[string]string       // the same: the run
	pinned  map[string]registry.Pin // of scopes, until they are moved
	moved   map[string]bool
	readers map[string]*follower
	reading sync.WaitGroup
}

// survive lets things happen, leaves all alone then, and tells what was wrong.
func survive(dir string, ops []op) string {
	o := &ordeal{
		truth: newTruth(newMemory()), hosts: map[string]*dockertest.Fake{}, folder: dir, away: map[string]bool{},
		calls: map[string]runner.Ask{}, answers: map[string]string{}, pinned: map[string]registry.Pin{}, moved: map[string]bool{}, readers: map[string]*follower{},
	}
	for _, name := range []string{"a", "b"} {
		o.hosts[name] = dockertest.NewFake(dockertest.Options{Name: name})
		o.hosts[name].Program("act", o.program(name))
	}
	o.images = newWarmth(o.hosts)
	o.start()
	for _, op := range ops {
		o.do(op)
		o.pass(op.pause + 37*time.Microsecond)
		if o.failure() != "" {
			break
		}
	}
	if o.failure() == "" {
		o.quiet()
	}
	o.over()
	return o.failure()
}

// spoolDir is the folder of the present life's logs.
func (o *ordeal) spoolDir() string { return filepath.Join(o.folder, fmt.Sprint(o.lives)) }

// start begins a life.
func (o *ordeal) start() {
	dir := o.spoolDir()
	logs, err := spool.New(spool.Options{Dir: dir, Segment: 4000})
	if err != nil {
		o.fail("open the spool: %v", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	next := filepath.Join(o.folder, fmt.Sprint(o.lives+1))
	o.life = &incarnation{left: -1, cancel: cancel, copy: func() error { return copySpool(dir, next) }}
	setup := runner.Setup{MaxQueued: 50}
	for _, name := range []string{"a", "b"} {
		setup.Hosts = append(setup.Hosts, runner.HostOptions{Name: name, Engine: mortalEngine{o.hosts[name], o.life}, Slots: 2})
	}
	o.r = runner.New(runner.Options{
		Setup: setup, Images: o.images, Store: mortalStore{o.store, o.life}, Spool: logs, Sealer: plain{}, ReadFile: os.ReadFile,
		Logger: slog.New(slog.NewTextHandler(&o.words, nil)),
	})
	if err := o.r.Recover(ctx); err != nil {
		o.fail("recover: %v", err)
	}
	r, ended := o.r, make(chan struct{})
	o.ended = ended
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			o.fail("run: %v", err)
		}
	}()
}

// bury ends what runs of a life that was killed, if one was.
func (o *ordeal) bury() {
	if o.life == nil || !o.life.killed() {
		return
	}
	<-o.ended
	if o.life.err != nil {
		o.fail("copy the spool: %v", o.life.err)
	}
	o.life = nil
	o.lives++
}

// stop ends a life as SIGTERM does.
func (o *ordeal) stop() {
	if o.bury(); o.life == nil {
		return
	}
	o.life.cancel()
	<-o.ended
	if o.bury(); o.life == nil {
		return // killed in its last moments
	}
	o.life = nil
	o.reading.Wait()
	open, err := openBelow(o.folder)
	if err != nil || len(open) > 0 {
		o.fail("files are open after the end: %v %v", open, err)
	}
}

// up makes sure that the server runs.
func (o *ordeal) up() {
	if o.bury(); o.life == nil {
		o.start()
	}
}

// pass lets time pass.
func (o *ordeal) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	o.bury()
}

func (o *ordeal) do(p op) {
	switch p.what {
	case "submit", "again", "cancel", "reject", "release", "crash", "restart", "end scope", "repin", "follow", "look":
		o.up()
	}
	h := o.hosts[p.host]
	switch p.what {
	case "submit":
		o.submit(p.ask)
	case "again":
		if len(o.asked) > 0 {
			o.submit(o.asked[p.n%len(o.asked)])
		}
	case "crash":
		if p.n < planned {
			o.life.kill()
		} else {
			o.life.plan(p.n-planned, p.yes)
		}
	case "restart":
		o.stop()
		o.up()
	case "down server":
		o.stop()
	case "promote":
		o.images.change(func() { o.images.current = []registry.Pin{one, two}[p.n%2] })
	case "nothing current":
		o.images.change(func() { o.images.current = registry.Pin{} })
	case "lose":
		h.Forget([]registry.Pin{one, two}[p.n%2])
	case "fault":
		h.Fail(p.call, p.yes)
	case "store fails":
		o.store.fail(errors.New("disk full"))
	case "store works":
		o.store.fail(nil)
	case "follow":
		o.follow(p)
	case "lose reader":
		for _, f := range o.readers {
			f.leave()
		}
	case "cancel", "reject", "release", "look", "rotate":
		if len(o.runs) > 0 {
			o.touch(p, o.runs[p.n%len(o.runs)])
		}
	case "end scope", "repin":
		o.scope(p, []string{"s1", "s2"}[p.n%2])
	default:
		o.engine(p, h)
	}
}

// engine does something to a host.
func (o *ordeal) engine(p op, h *dockertest.Fake) {
	switch p.what {
	case "engine":
		o.shock(p.host)
		h.Restart()
	case "halt":
		o.away[p.host] = true
		o.shock(p.host)
		o.hide(p.host, true)
		h.Halt()
		o.unreachable(p)
	case "resume":
		o.mend(p.host)
	case "live-restore":
		o.shock(p.host)
		h.Halt()
		h.SetLiveRestore(p.yes)
		h.Resume()
		o.away[p.host] = false
	case "stopping":
		o.hide(p.host, true)
		h.SetStopping(true)
	case "not stopping":
		o.mend(p.host)
	case "cut":
		o.hide(p.host, true)
		h.SetDown(true)
		o.unreachable(p)
	case "mend":
		o.mend(p.host)
	case "wipe":
		o.shock(p.host)
		h.Wipe()
		o.images.change(func() { o.images.wiped[p.host]++ })
		o.images.Recheck(p.host)
	case "clock":
		d := -time.Duration(p.n) * time.Minute
		o.clocks[p.host] = append(o.clocks[p.host], time.Now())
		h.SetClockOffset(d)
		o.images.change(func() { o.images.offset[p.host] = d })
	}
}

// unreachable lets the server know that a host does not answer, at once or not
// at all.
func (o *ordeal) unreachable(p op) {
	if p.yes {
		o.images.change(func() { o.images.down[p.host] = true })
	}
}

// mend brings a host back, if it is there.
func (o *ordeal) mend(host string) {
	if o.away[host] {
		o.shock(host)
		o.hosts[host].Resume()
	}
	o.away[host] = false
	o.hosts[host].SetDown(false)
	o.hosts[host].SetStopping(false)
	o.hide(host, false)
	o.images.change(func() { o.images.down[host] = false })
}

// submit submits, and holds the answer against what was answered before.
func (o *ordeal) submit(ask runner.Ask) {
	if earlier, ok := o.calls[ask.Idempotency]; ok && ask.Idempotency != "" {
		ask = earlier // a word is one call, and its content is always the same
	}
	if ask.Idempotency != "" {
		o.calls[ask.Idempotency] = ask
	}
	o.asked = append(o.asked, ask)
	answer, err := o.r.Submit(context.Background(), ask)
	if o.life.killed() {
		return // the caller got no answer
	}
	if err != nil {
		if code := problem.CodeOf(err); code == problem.Internal && !strings.Contains(err.Error(), "disk full") {
			o.fail("submit: %v", err)
		}
		return
	}
	run, err := o.store.Run(context.Background(), answer.Run.ID)
	if err != nil {
		o.fail("the answer to a submit is not on disk: %v", err)
		return
	}
	o.joins(ask, answer)
	if !slices.Contains(o.runs, run.ID) {
		o.runs = append(o.runs, run.ID)
	}
	if run.Terms.Key != ask.Terms.Key || run.Terms.Key != "" && run.Terms.Epoch < ask.Terms.Epoch {
		o.fail("a submit with key %q, epoch %d was answered with run %s of %q, %d", ask.Terms.Key, ask.Terms.Epoch, run.ID, run.Terms.Key, run.Terms.Epoch)
	}
	if ask.Idempotency != "" {
		if earlier := o.answers[ask.Idempotency]; earlier != "" && earlier != run.ID {
			o.fail("the call %s got run %s first, and then %s", ask.Idempotency, earlier, run.ID)
		}
		o.answers[ask.Idempotency] = run.ID
	}
}

// joins looks whether a run may answer a submit that no word repeats.
func (o *ordeal) joins(ask runner.Ask, answer runner.Answer) {
	run := answer.Run
	done := run.State == runner.Succeeded || run.State == runner.Lost && run.Exited && run.ExitCode == 0
	switch {
	case ask.Idempotency != "":
	case !answer.Joined && slices.Contains(o.runs, run.ID):
		o.fail("run %s answers a submit as a new one, and is not", run.ID)
	case !answer.Joined:
	case ask.Terms.Key == "":
		o.fail("a submit without a key joined run %s", run.ID)
	case run.State.Ended() && (ask.Terms.Join != runner.JoinSuccess || !done || run.Rejected):
		o.fail("a submit under join: %s was answered with run %s, which is %s, rejected %t", ask.Terms.Join, run.ID, run.State, run.Rejected)
	case ask.OnConflict != runner.ConflictJoin && !cmp.Equal(run.Asked, ask.Spec):
		o.fail("a submit joined run %s, which is another piece of work: %s", run.ID, cmp.Diff(run.Asked, ask.Spec))
	}
}

// touch does something with a run.
func (o *ordeal) touch(p op, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch p.what {
	case "cancel":
		_, err := o.r.Cancel(ctx, id)
		run, read := o.store.Run(ctx, id)
		if err == nil && !o.life.killed() && (read != nil || run.Stop.Why == "" && !run.State.Ended()) {
			o.fail("a cancel of run %s was answered that is not on disk", id)
		}
	case "reject":
		o.mu.Lock()
		o.changing[id] = true
		o.mu.Unlock()
		run, err := o.r.Reject(ctx, id)
		if err == nil && !o.life.killed() && !run.Rejected {
			o.fail("run %s was rejected, and is not", id)
		}
	case "release":
		o.mu.Lock()
		before := o.freed[id]
		o.freed[id] = true
		o.mu.Unlock()
		_, err := o.r.Release(ctx, id)
		if problem.CodeOf(err) == problem.NotReleasable && !o.life.killed() {
			o.mu.Lock()
			o.freed[id] = before
			o.mu.Unlock()
		}
	case "look":
		if _, err := o.r.Get(ctx, id); err != nil && !o.life.killed() {
			o.fail("get: %v", err)
		}
	case "rotate":
		// Narrowed: of a log that was lost before any of it was spooled nobody knows.
		var f follower
		if o.life == nil || o.r.CopyLog(ctx, id, 0, false, f.take) != nil || len(f.got) == 0 {
			return
		}
		if run, err := o.store.Run(ctx, id); err == nil && run.Host != "" {
			o.hosts[run.Host].Rotate(run.ContainerID, 3)
		}
	}
}

func (o *ordeal) scope(p op, name string) {
	var err error
	if p.what == "repin" {
		o.moved[name] = true
		_, _, _, err = o.r.Repin(context.Background(), runner.DefaultNamespace, name, "jobs", nil)
	} else {
		_, err = o.r.EndScope(context.Background(), runner.DefaultNamespace, name)
	}
	if code := problem.CodeOf(err); code == problem.Internal && !o.life.killed() && !strings.Contains(err.Error(), "disk full") {
		o.fail("%s: %v", p.what, err)
	}
}

// follower reads the log of a run, and goes on where it was whenever it comes
// back.
type follower struct {
	mu     sync.Mutex
	got    []spool.Entry
	cancel context.CancelFunc
	over   chan struct{}
}

func (f *follower) leave() {
	f.cancel()
	<-f.over
}

// follow begins to read a run's log, or goes on with it.
func (o *ordeal) follow(p op) {
	if len(o.runs) == 0 {
		return
	}
	id := o.runs[p.n%len(o.runs)]
	f := o.readers[id]
	if f == nil {
		f = &follower{}
		o.readers[id] = f
	} else {
		f.leave()
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.over = cancel, make(chan struct{})
	r, life, over := o.r, o.life, f.over
	o.reading.Go(func() {
		defer close(over)
		_ = r.CopyLog(ctx, id, f.cursor(), true, func(chunk []byte) error { // how it ends is not the point
			if p.yes {
				time.Sleep(time.Second) // slow
			}
			life.world.RLock()
			defer life.world.RUnlock()
			if life.dead {
				return errKilled // no reader gets what comes after the copy
			}
			return f.take(chunk)
		})
	})
}

func (f *follower) cursor() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		return 0
	}
	return f.got[len(f.got)-1].Seq
}

func (f *follower) take(chunk []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range bytes.Lines(chunk) {
		var e spool.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		f.got = append(f.got, e)
	}
	return nil
}
