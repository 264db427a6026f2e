package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/test/fleet"
)

// fault is something that failed, from begin until it served again.
type fault struct {
	what       string
	host       string // empty: the server
	engine     bool   // an engine was down
	begin, end time.Time
	recovered  time.Duration // since it was started again, until it served
}

type faults struct {
	mu   sync.Mutex
	list []fault
}

func (f *faults) add(happened fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, happened)
}

func (f *faults) all() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

// Those who have a chance of their own, beside the pieces of work.
const (
	serverChance = 1 << 40
	pushChance   = 2 << 40
	hostChance   = 3 << 40
)

// fail lets things fail until failing ends: the server, each host and the tag by
// itself, so that faults meet one another. Whatever failed is mended when it
// returns. ctx bounds the mending.
func (w *world) fail(ctx, failing context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	each := func(whose uint64, least, most time.Duration, do func(context.Context, *rand.Rand) error) {
		r := chance(w.seed, whose)
		g.Go(func() error {
			for rest(failing, least+time.Duration(r.Int64N(int64(most-least)))) == nil {
				if err := do(ctx, r); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	each(serverChance, 5*time.Second, 25*time.Second, w.killServer)
	each(pushChance, 10*time.Second, 40*time.Second, func(ctx context.Context, _ *rand.Rand) error {
		begin := time.Now()
		err := w.push(ctx)
		w.note(fault{what: "a new image was pushed", begin: begin})
		return err
	})
	for n, h := range w.fleet.Hosts {
		each(hostChance+uint64(n), 10*time.Second, 40*time.Second, func(ctx context.Context, r *rand.Rand) error {
			return w.failHost(ctx, r, h)
		})
	}
	return g.Wait()
}

func (w *world) note(f fault) {
	f.end = time.Now()
	w.faults.add(f)
	fmt.Fprintf(w.log, "%s %s for %v\n", f.what, f.host, f.end.Sub(f.begin).Round(100*time.Millisecond))
}

// killServer kills the server, or now and then stops it in order.
func (w *world) killServer(ctx context.Context, r *rand.Rand) error {
	f := fault{what: "the server was killed", begin: time.Now()}
	end := w.server.Kill
	if r.IntN(4) == 0 {
		f.what, end = "the server was stopped", w.server.Stop
	}
	if err := end(); err != nil {
		return fmt.Errorf("%s: %w", f.what, err)
	}
	if err := rest(ctx, time.Duration(r.Int64N(int64(3*time.Second)))); err != nil {
		return err
	}
	begin := time.Now()
	if err := w.serve(ctx); err != nil {
		return err
	}
	f.recovered = time.Since(begin)
	w.note(f)
	return nil
}

// failHost does one thing to a host and undoes it.
func (w *world) failHost(ctx context.Context, r *rand.Rand, h *fleet.Host) error {
	f := fault{host: h.Name, begin: time.Now()}
	away := time.Duration(r.Int64N(int64(8 * time.Second)))
	var end func() error
	switch r.IntN(6) {
	case 0:
		f.what, f.engine, end = "an engine was killed", true, h.Crash
	case 1:
		f.what, f.engine, end = "an engine was stopped", true, h.Stop
	case 2:
		f.what, f.engine, end = "a host lost its power", true, h.Kill
	case 3:
		f.what = "somebody else's container was removed, and images were pruned"
		return errors.Join(w.foreign(ctx, h), func() error { w.note(f); return nil }())
	default:
		f.what, end = "a link was cut", h.Cut
		away = time.Second + time.Duration(r.Int64N(int64(19*time.Second)))
	}
	if err := end(); err != nil {
		return fmt.Errorf("%s (%s): %w", f.what, h.Name, err)
	}
	pauseErr := rest(ctx, away) // the host is mended all the same
	begin := time.Now()
	mend := h.Mend
	if f.engine {
		mend = func() error { return h.Start(ctx) }
	}
	if err := mend(); err != nil {
		return fmt.Errorf("mend %s after %s: %w", h.Name, f.what, err)
	}
	if pauseErr == nil {
		pauseErr = w.awaitContact(ctx, h)
	}
	f.recovered = time.Since(begin)
	w.note(f)
	return pauseErr
}

// awaitContact waits until the server has found a host again, whatever happens to
// the server meanwhile.
func (w *world) awaitContact(ctx context.Context, h *fleet.Host) error {
	return await(ctx, 2*time.Minute, "contact with "+h.Name, func() (bool, error) {
		all, err := w.client.Hosts(ctx)
		for _, found := range all.Hosts {
			if found.Name == h.Name && found.Contact == "reachable" {
				return true, nil
			}
		}
		return false, err
	})
}

// foreign is what other users of a host do.
func (w *world) foreign(ctx context.Context, h *fleet.Host) error {
	for _, line := range []string{
		"create --name foreign --network none " + w.fleet.Registry.Addr + "/" + repository + ":latest",
		"rm --force foreign", "image prune --force",
	} {
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec docker --host \"$0\" "+line, h.Socket)
		_ = cmd.Run() // what is refused is theirs
	}
	return ctx.Err()
}
