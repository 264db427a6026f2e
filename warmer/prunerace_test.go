package warmer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// A run that was accepted where its digest was warm finds it there until it ends,
// whatever is pruned, pushed, rolled back or killed meanwhile; what is current,
// and what is others', is never removed.
func TestPruneAgainstRuns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(drawStep), 60, 160).Draw(rt, "steps")
		unmanaged := rapid.SampledFrom([]prune.Unmanaged{prune.KeepUnmanaged, prune.LeastRecently}).Draw(rt, "unmanaged")
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = race(t, ops, unmanaged) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// step is something that happens while passes are made.
type step struct {
	what  string
	host  string
	n     int
	pause time.Duration
}

func drawStep(t *rapid.T) step {
	return step{
		what: rapid.SampledFrom([]string{
			"push", "run", "run", "run", "end", "pass", "pass for space", "pass for space", "pass for space", "rollback", "container", "discard", "scope", "end scope", "foreign", "named", "restart",
		}).Draw(t, "what"),
		host:  rapid.SampledFrom([]string{"a", "b"}).Draw(t, "host"),
		n:     rapid.IntRange(0, 5).Draw(t, "n"),
		pause: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 3, 10, 30, 300, 5000}).Draw(t, "pause")) * time.Millisecond,
	}
}

// racer is a scene with runs that are under way.
type racer struct {
	*scene

	runs    []lent
	serial  int
	foreign map[string][]registry.Pin
	pushed  int
	passes  sync.WaitGroup
	handled bool // others gave a name to what may be removed
}

// lent is a run on the host where its digest was warm.
type lent struct {
	id, host string
	pin      registry.Pin
}

func race(t *testing.T, steps []step, unmanaged prune.Unmanaged) (failure string) {
	s := newScene(t, "a", "b")
	s.entry.Policy.Keep = 3
	s.rules = warmer.PruneRules{Policy: prune.Policy{Unmanaged: unmanaged}}
	for name := range s.hosts {
		s.odd(name).slow = 2 * time.Millisecond // looks, listings and removals take their time
	}
	s.start()
	r := &racer{scene: s, foreign: make(map[string][]registry.Pin)}
	r.push()
	s.settle(time.Second)
	for _, o := range steps {
		r.do(o)
		s.settle(o.pause)
		if failure = r.broken(); failure != "" {
			break
		}
	}
	s.stop()
	r.passes.Wait()
	return failure
}

func (r *racer) push() {
	r.pushed++
	r.scene.push(r.pushed)
	_, _ = r.w.Check(context.Background(), "jobs")
}

func (r *racer) do(o step) {
	ctx := context.Background()
	switch o.what {
	case "push":
		r.push()
	case "run":
		r.run(o)
	case "end":
		if len(r.runs) > 0 {
			i := o.n % len(r.runs)
			r.ledger.leaseFor(r.runs[i].id, r.runs[i].pin, time.Time{}, false)
			r.runs = slices.Delete(r.runs, i, i+1)
		}
	case "pass", "pass for space":
		ask := warmer.PruneAsk{}
		if o.what == "pass for space" {
			ask.Free = int64(1000 * o.n)
		}
		w := r.w
		r.passes.Go(func() { _, _ = w.Prune(ctx, ask) }) // its life may end before
	case "rollback":
		_, _ = r.w.Rollback(ctx, "jobs", "", "ana") // there may be nothing to go back to
	case "container":
		if pins := r.known(o.host); len(pins) > 0 {
			r.serial++
			_ = r.hosts[o.host].Others().Create(ctx, fmt.Sprint("theirs-", r.serial), pins[o.n%len(pins)].String(), "version") // it may be gone
		}
	case "discard":
		_ = r.hosts[o.host].Others().Discard(ctx, fmt.Sprint("theirs-", r.serial)) // there may be none
	case "scope":
		r.hold(r.current(), true)
	case "end scope":
		r.hold(r.current(), false)
	case "foreign":
		pin := r.scene.foreign(o.host, 1000+o.n)
		if r.rules.Policy.Unmanaged == prune.KeepUnmanaged {
			r.foreign[o.host] = append(r.foreign[o.host], pin)
		} else {
			r.handled = true
		}
	case "named":
		if pins := r.known(o.host); len(pins) > 0 { // a digest of ours with a name that is not
			r.handled = true
			_ = r.hosts[o.host].Others().Tag(ctx, pins[o.n%len(pins)], "mine") // it may be gone
		}
	case "restart":
		r.stop()
		r.start()
		r.settle(time.Second)
	}
}

// run does what a submit does: it resolves a name or takes a digest that is kept,
// looks where that is warm, and writes the run down.
func (r *racer) run(o step) {
	drafted := time.Now()
	_, _, pin, err := r.w.Resolve("jobs")
	if kept := r.known(o.host); o.n%2 == 1 && len(kept) > 0 {
		_, _, pin, err = r.w.Resolve(kept[o.n%len(kept)].String())
	}
	if err != nil {
		return
	}
	warm, _ := r.w.WarmHosts("jobs", pin)
	time.Sleep(time.Duration(o.n) * time.Millisecond)
	r.serial++
	id := fmt.Sprint("run-", r.serial)
	if len(warm) == 0 || !r.ledger.leaseFor(id, pin, drafted, true) {
		return // refused, or asked again
	}
	r.runs = append(r.runs, lent{id, warm[o.n%len(warm)], pin})
}

// known are the digests of jobs on a host.
func (r *racer) known(host string) []registry.Pin {
	listed, _ := r.hosts[host].List(context.Background()) // the fake's never fails
	var pins []registry.Pin
	for _, l := range listed {
		pins = append(pins, l.Pins...)
	}
	return pins
}

// broken tells which promise does not hold.
func (r *racer) broken() string {
	has := func(host string, pin registry.Pin) bool {
		_, ok, err := r.hosts[host].Inspect(context.Background(), pin)
		return ok || problem.CodeOf(err) == problem.HostUnreachable
	}
	for _, run := range r.runs {
		if !has(run.host, run.pin) {
			return fmt.Sprintf("%s lost %s on %s, where it was warm when the run was accepted", run.id, run.pin.Digest(), run.host)
		}
	}
	for host, pins := range r.foreign {
		for _, pin := range pins {
			if !has(host, pin) {
				return fmt.Sprintf("%s, which is not ours, was removed from %s", pin, host)
			}
		}
	}
	if pin := r.current(); !pin.IsZero() && !has("a", pin) && !has("b", pin) {
		return fmt.Sprintf("%s is current and nowhere", pin)
	}
	if r.handled {
		return "" // others name what is being removed: a pass that sees that stops, and should
	}
	passes, _ := r.ledger.Passes(context.Background(), "", 1000) // the ledger's never fails
	for _, p := range passes {
		if p.Stopped != "" && p.Stopped != stopsWithUs {
			return "a pass stopped: " + p.Stopped
		}
	}
	return ""
}

// stopsWithUs is why a pass ends that its server does not outlive.
const stopsWithUs = "the server stops, or the host left the configuration"
