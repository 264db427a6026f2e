package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

// execute takes a placed run to its end on h.
func (r *Runner) execute(ctx context.Context, l *live, h *host) {
	r.mu.Lock()
	run, engine := l.run, h.Engine
	r.mu.Unlock()
	defer r.vacate(run, h)
	id, ok := r.create(ctx, l, engine)
	if !ok {
		return
	}
	switch err := engine.Start(ctx, id); {
	case err == nil:
		failpoint.Here("run.started")
		r.follow(ctx, l, id)
	case ctx.Err() != nil: // we are stopping; the next life goes on
	case problem.CodeOf(err) == problem.HostUnreachable:
		r.resume(ctx, l) // it may have started
	default:
		r.removeLater(r.now(l))
		r.refuse(l, err)
	}
}

// create makes the container and writes down that it is there: from then on it
// may be started. A host that lost the image meanwhile is avoided and the run is
// placed again: nothing was executed yet.
func (r *Runner) create(ctx context.Context, l *live, engine Engine) (id string, ok bool) {
	if isClosed(l.stop) {
		r.endStopped(l)
		return "", false
	}
	made, err := r.makeContainer(ctx, l, engine)
	switch {
	case err == nil:
		return r.created(l, made)
	case ctx.Err() != nil:
		return "", false // we are stopping; the next life finds what was made, never started
	case problem.CodeOf(err) == problem.ImageLost:
		r.opts.Images.Recheck(l.run.Host)
		if !r.requeue(l, "lost the image just now") {
			r.endStopped(l)
		}
	case problem.CodeOf(err) == problem.Internal: // the store, or a fault of ours: nothing of the caller's
		r.log.Error("the container of a run was not made; trying again", "run", l.run.ID, "host", l.run.Host, "error", err)
		if !r.requeue(l, "could not be used just now") {
			r.endStopped(l)
		}
	case problem.CodeOf(err) == problem.HostUnreachable:
		// The engine may have made it and its answer was lost. It was not started,
		// so that the run may go elsewhere; the sweep removes what is found there.
		if !r.requeue(l, "did not answer just now") {
			r.endStopped(l)
		}
	default:
		r.removeLater(r.now(l))
		r.refuse(l, err)
	}
	return "", false
}

func (r *Runner) makeContainer(ctx context.Context, l *live, engine Engine) (Created, error) {
	r.mu.Lock()
	run, policy := l.run, r.setup.Policy
	var hostEnv []string
	if h := r.hostOf(run.Host); h != nil {
		hostEnv = h.Env
	}
	r.mu.Unlock()
	if err := policy.check(run.Spec); err != nil {
		return Created{}, err // a reload may have tightened it meanwhile
	}
	secret, err := r.secrets(ctx, run)
	if err != nil {
		return Created{}, err
	}
	r.maskAs(l, values(secret))
	c := Container{Name: run.containerName(), Run: run.ID, Pin: run.Pin, Spec: run.Spec, Env: mergeEnv(hostEnv, run.Spec.Env, secret)}
	if c.ScopeVolume, err = r.makeVolume(ctx, run, engine); err != nil {
		return Created{}, err
	}
	failpoint.Here("run.creating")
	made, err := engine.Create(ctx, c)
	failpoint.Here("run.created")
	return made, err
}

// created writes down which container the run has, before it may be started: a
// crash between a start and its record would make it look as if nothing ran.
func (r *Runner) created(l *live, made Created) (id string, ok bool) {
	ok = r.must(l, func(run *Run) {
		run.State, run.ContainerID, run.EngineLife, run.EngineVersion = Starting, made.ID, made.Life, made.Version
	})
	if !ok {
		return "", false
	}
	failpoint.Here("run.starting")
	if isClosed(l.stop) {
		r.removeLater(r.now(l))
		r.endStopped(l)
		return "", false
	}
	return made.ID, true
}

// secrets gives a run's secret variables as NAME=value: from files of the
// server, and from the store.
func (r *Runner) secrets(ctx context.Context, run Run) ([]string, error) {
	if len(run.Spec.SecretEnv) == 0 {
		return nil, nil
	}
	kept := make(map[string]string)
	sealed, err := r.opts.Store.Secrets(ctx, run.ID)
	if err == nil && sealed != nil {
		var plain []byte
		if plain, err = r.opts.Sealer.Open(sealed); err == nil {
			err = json.Unmarshal(plain, &kept)
		}
	}
	if err != nil {
		return nil, problem.Wrap(problem.StartFailed, err, "open the secret variables of run "+run.ID,
			"submit it again; if the key of the server was changed, all runs queued before are lost to it")
	}
	var env []string
	for _, e := range run.Spec.SecretEnv {
		value, ok := kept[e.Name]
		if e.File != "" {
			b, err := r.opts.ReadFile(e.File)
			if err != nil {
				return nil, problem.Wrap(problem.StartFailed, err, fmt.Sprintf("read the secret variable %s from the server's file %s", e.Name, e.File),
					"put the file there, readable for the server")
			}
			value, ok = strings.TrimRight(string(b), "\r\n"), true
		}
		if !ok {
			return nil, problem.New(problem.StartFailed, fmt.Sprintf("the secret variable %s of run %s is not kept any more", e.Name, run.ID), "submit the run again")
		}
		env = append(env, e.Name+"="+value)
	}
	return env, nil
}

func values(env []string) []string {
	var all []string
	for _, e := range env {
		_, value, _ := strings.Cut(e, "=")
		all = append(all, value)
	}
	return all
}

// maskAs notes what a run's log must not show.
func (r *Runner) maskAs(l *live, secrets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !l.run.Terms.Unmasked {
		l.masked = secrets
	}
}

// avoidFor is how long a run is not placed again on a host where that was in
// vain: less would be a loop without a pause while the host is thought to be
// well.
const avoidFor = 5 * time.Second

// requeue puts a run back to where it was in the queue, unless it is to be
// stopped: a stop looks for queued runs only once.
func (r *Runner) requeue(l *live, why string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isClosed(l.stop) {
		return false
	}
	if l.avoid == nil {
		l.avoid = make(map[string]avoided)
	}
	l.avoid[l.run.Host] = avoided{why, time.Now().Add(avoidFor)}
	l.run.State, l.run.Host, l.run.EngineMarker, l.run.Placed = Queued, "", "", time.Time{}
	r.enqueue(l)
	r.wake()
	return true
}

// startDoubt is how long a container is seen as never started before it is
// started: a start that an earlier life of ours sent, or whose answer was lost,
// may still be on its way within the engine.
const startDoubt = 5 * time.Second

// resume goes on with a run whose container is on disk, and of which nobody
// knows how far it got.
func (r *Runner) resume(ctx context.Context, l *live) {
	var since time.Time // it is seen as never started
	for ctx.Err() == nil {
		seen, err := r.see(ctx, l)
		switch {
		case problem.CodeOf(err) == problem.ContainerLost:
			r.endGone(l)
			return
		case err != nil:
			if code, lost := r.outOfContact(l, err); lost {
				r.endLost(l, code)
				return
			}
			l.rest(ctx, retryLook)
			continue
		case seen.Failed != "":
			r.removeLater(r.now(l))
			r.refuse(l, problem.New(problem.StartFailed, "start the container of run "+l.run.ID+": "+seen.Failed, "correct what the engine names"))
			return
		case !seen.Fresh:
			r.follow(ctx, l, seen.ID)
			return
		case r.forgotten(ctx, l, seen):
			r.endForgotten(ctx, l, seen.ID)
			return
		case seen.Life == "" && r.now(l).EngineLife != "":
			l.rest(ctx, retryLook)
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		switch {
		case time.Since(since) < startDoubt:
			pause(ctx, retryLook)
		case isClosed(l.stop):
			if r.fence(ctx, l, seen.ID) {
				r.endStopped(l)
				return
			}
			pause(ctx, retryLook)
		case r.startAgain(ctx, l, seen):
			return
		}
	}
}

// forgotten tells that a container which is seen as never started may have run all
// the same: an engine starts the program first and writes that down later, so
// that one which crashes in between knows nothing of it (seen on 20.10, where both
// took a second under load). Its life tells of such a crash, but not under
// live-restore; what the program printed tells of it, too.
func (r *Runner) forgotten(ctx context.Context, l *live, seen Look) bool {
	created := r.now(l).EngineLife
	switch {
	case seen.Life == "" && created != "":
		return false // it can't be told now, and it is not started before that
	case seen.Life != created:
		return true
	}
	engine, err := r.engineOf(l.run.Host)
	if err != nil {
		return false // it is not started then either
	}
	err = engine.LastLines(ctx, seen.ID, 1, func(Line) error { return errSeen })
	return errors.Is(err, errSeen)
}

// endForgotten ends a run of which nobody can tell whether its container ran.
func (r *Runner) endForgotten(ctx context.Context, l *live, id string) {
	log := r.followLog(ctx, l, id).finish(ctx, true)
	if ctx.Err() != nil {
		return
	}
	r.end(l, func(run *Run) {
		run.State, run.Reason = Interrupted, problem.EngineRestarted
		run.Detail = "the engine was restarted, or may have been, while it started the container: whether the program ran can't be known"
		run.Log = log.LogState
		run.Log.Complete, run.Log.Gap = false, "the engine does not know that the program ran: what it printed may be lost"
	})
	r.removeLater(r.now(l))
}

// fence removes a container that was never started, so that no start which is
// still under way can have an effect. It gives false where that did not work:
// it may run by now.
func (r *Runner) fence(ctx context.Context, l *live, id string) bool {
	engine, err := r.engineOf(l.run.Host)
	return err == nil && engine.Remove(ctx, id) == nil
}

// startAgain starts a container that was never started, and goes on with it. It
// gives false where that is not known.
func (r *Runner) startAgain(ctx context.Context, l *live, seen Look) (done bool) {
	engine, err := r.engineOf(l.run.Host)
	if err != nil || !r.must(l, func(run *Run) { run.EngineLife = seen.Life }) {
		return false
	}
	switch err := engine.Start(ctx, seen.ID); {
	case err == nil:
		r.mu.Lock()
		l.adopted = false
		r.mu.Unlock()
		r.follow(ctx, l, seen.ID)
	case ctx.Err() != nil || problem.CodeOf(err) == problem.HostUnreachable:
		return false
	default:
		if again, lost := r.see(ctx, l); lost != nil || !again.Fresh && again.Failed == "" {
			return false // an earlier start had its effect just now
		}
		r.removeLater(r.now(l))
		r.refuse(l, err)
	}
	return true
}

// retryLook is the wait before a host is asked again about a container.
const retryLook = 500 * time.Millisecond
