package runner

import (
	"context"
	"fmt"
	"slices"

	"github.com/prewarm/prewarm/internal/problem"
)

// settleVolume decides where a scope's volume is: with the first run that
// mounts it. The caller holds mu.
func (r *Runner) settleVolume(run Run, h *host, marker string) {
	s := r.scopeOf(run)
	if run.Spec.ScopeVolume == "" || s == nil || s.Host != "" {
		return
	}
	s.Host, s.Marker = h.Name, marker
	s.Volume = ownVolumes + "scope-" + run.ID // the run's id, since scopes have any name
}

// makeVolume makes the volume of a run's scope, once it is on disk where it is.
func (r *Runner) makeVolume(ctx context.Context, run Run, engine Engine) (name string, err error) {
	if run.Spec.ScopeVolume == "" {
		return "", nil
	}
	s, err := r.changeScope(ctx, scopeID{run.Terms.Namespace, run.Terms.Scope}, func(*Scope) error { return nil })
	if err != nil {
		return "", err
	}
	if s.Marker != run.EngineMarker {
		return "", problem.New(problem.ScopeHost,
			fmt.Sprintf("the files of pin scope %s were on host %s, where another engine answers now, or all volumes were pruned: they are gone", s.Name, s.Host),
			"end the scope and run its tasks again: prewarm scope end")
	}
	return s.Volume, engine.MakeVolume(ctx, s.Volume, map[string]string{"prewarm.scope": s.Name})
}

// wantsKept tells whether a run of a scope failed that wants its volume kept.
func (r *Runner) wantsKept(ctx context.Context, s Scope) (bool, error) {
	runs, err := r.opts.Store.Runs(ctx, Filter{Namespace: s.Namespace, Scope: s.Name})
	return slices.ContainsFunc(runs, func(run Run) bool {
		executed := run.ContainerID != "" && run.Spec.ScopeVolume != ""
		return run.Terms.KeepVolume && executed && !run.succeeded()
	}), err
}

// dropVolumes removes the volumes of scopes that have ended.
func (r *Runner) dropVolumes(ctx context.Context) {
	for _, s := range r.Scopes("") {
		if s.Ended.IsZero() || s.Volume == "" || s.Keep || r.scopeBusy(s) || !r.opts.Images.Facts(s.Host).Reachable {
			continue
		}
		err := r.dropVolume(ctx, s)
		again := problem.CodeOf(err) == problem.HostUnreachable || problem.CodeOf(err) == problem.VolumeInUse
		if err != nil && !again && ctx.Err() == nil {
			r.log.Warn("the volume of an ended pin scope was not removed; trying again", "scope", s.Name, "host", s.Host, "volume", s.Volume, "error", err)
		}
	}
}

// dropVolume removes the volume of a scope, unless a failed run wants it kept.
func (r *Runner) dropVolume(ctx context.Context, s Scope) error {
	kept, err := r.wantsKept(ctx, s)
	if err != nil {
		return err
	}
	if kept {
		_, err := r.changeScope(ctx, scopeIDOf(s), func(s *Scope) error { s.Keep = true; return nil })
		return err
	}
	engine, err := r.engineOf(s.Host)
	if err != nil {
		return err
	}
	if err := engine.RemoveVolume(ctx, s.Volume); err != nil {
		return err
	}
	_, err = r.changeScope(ctx, scopeIDOf(s), func(now *Scope) error {
		if !now.Ended.IsZero() { // else it is in use again: its next run makes the volume anew
			now.Host, now.Marker, now.Volume = "", "", ""
		}
		return nil
	})
	return err
}
