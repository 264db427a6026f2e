package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

const (
	// scopeHeld is how long a scope's digests and its volume are held after its
	// last use; scopeKept is how long it is remembered after that.
	scopeHeld = 24 * time.Hour
	scopeKept = 30 * 24 * time.Hour
)

type scopeID struct{ namespace, name string }

func scopeIDOf(s Scope) scopeID { return scopeID{s.Namespace, s.Name} }

// scopeUse is a submit's use of its pin scope; nil for one without.
type scopeUse struct {
	scope Scope    // a copy, with what the submit adds
	used  ScopeUse // empty until the image's digest is known
}

// useOf begins a use of a scope, which may not be there yet.
func (r *Runner) useOf(t Terms) *scopeUse {
	if t.Scope == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.scopes[scopeID{t.Namespace, t.Scope}]; s != nil {
		return &scopeUse{scope: s.clone()}
	}
	return &scopeUse{scope: Scope{Namespace: t.Namespace, Name: t.Scope, Created: time.Now()}}
}

func (s *Scope) clone() Scope {
	c := *s
	c.Pins = slices.Clone(s.Pins)
	return c
}

// pinned gives what an image means in the scope, if it was used there before.
func (u *scopeUse) pinned(t Target) (Target, bool) {
	if u == nil {
		return t, false
	}
	return u.find(func(p ScopePin) bool { return p.Track == t.Track })
}

// named gives what repo@digest means, where the scope has that digest.
func (u *scopeUse) named(name string) (Target, bool) {
	if u == nil {
		return Target{}, false
	}
	pin, err := registry.ParsePin(name)
	if err != nil {
		return Target{}, false
	}
	return u.find(func(p ScopePin) bool { return p.Pin == pin })
}

func (u *scopeUse) find(which func(ScopePin) bool) (Target, bool) {
	i := slices.IndexFunc(u.scope.Pins, which)
	if i < 0 {
		return Target{}, false
	}
	u.used = ScopeExisting
	if !u.scope.Ended.IsZero() {
		u.used = ScopeRenewed
	}
	p := u.scope.Pins[i]
	return Target{Image: p.Image, Track: p.Track, Pin: p.Pin}, true
}

// add freezes what an image means in the scope from now on.
func (u *scopeUse) add(t Target) {
	if u == nil {
		return
	}
	u.used = ScopeNew
	u.scope.Pins = append(u.scope.Pins, ScopePin{Track: t.Track, Image: t.Image, Pin: t.Pin, Since: time.Now()})
}

func (u *scopeUse) kind() ScopeUse {
	switch {
	case u == nil:
		return ""
	case u.used == "":
		return ScopeNew // its digest is fixed at the first promotion
	}
	return u.used
}

// record is what is to be written down of a use.
func (u *scopeUse) record(run Run) *Scope {
	if u == nil {
		return nil
	}
	u.scope.Used, u.scope.Ended = run.Submitted, time.Time{}
	s := u.scope.clone()
	return &s
}

// cold says why a run can't start at once: a scope's digest is never exchanged
// for a warm one.
func (u *scopeUse) cold(run Run, cold map[string]string) error {
	short := run.Pin.Digest().Short()
	switch {
	case u != nil && u.used == ScopeRenewed:
		return problem.New(problem.PinCold,
			fmt.Sprintf("pin scope %s has %s at %s, which was no longer held and is warm on no host: %s", run.Terms.Scope, run.Track, short, listed(cold)),
			"wait for it with --wait-warm, or move the scope to the current digest: prewarm scope repin")
	case u != nil && u.used == ScopeExisting && allGone(cold):
		return problem.New(problem.PinUnavailable,
			fmt.Sprintf("pin scope %s has %s at %s, which is gone upstream and warm on no host: %s", run.Terms.Scope, run.Track, short, listed(cold)),
			"push that digest again, or move the scope to the current one: prewarm scope repin")
	}
	return notWarm(run.Image, run.Pin, cold)
}

func allGone(cold map[string]string) bool {
	for _, why := range cold {
		if !strings.Contains(why, "gone_upstream") {
			return false
		}
	}
	return len(cold) > 0
}

// Scopes lists the pin scopes of a namespace, or of all where it is empty, the
// last used first.
func (r *Runner) Scopes(namespace string) []Scope {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Scope
	for id, s := range r.scopes {
		if namespace == "" || id.namespace == namespace {
			all = append(all, s.clone())
		}
	}
	slices.SortFunc(all, func(a, b Scope) int {
		return cmp.Or(b.Used.Compare(a.Used), strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
	})
	return all
}

// Scope gives a pin scope of a namespace.
func (r *Runner) Scope(namespace, name string) (Scope, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.scopes[scopeID{namespace, name}]; s != nil {
		return s.clone(), nil
	}
	return Scope{}, problem.New(problem.ScopeNotFound, fmt.Sprintf("no pin scope is called %q", name), "prewarm scopes lists them")
}

// EndScope ends a scope: its digests are no longer held for it, and its volume
// is removed once no run of it is under way. Its record stays, so that a task
// that is run again later gets the digest it had. Ending it twice changes
// nothing.
func (r *Runner) EndScope(ctx context.Context, namespace, name string) (Scope, error) {
	return r.endScope(ctx, scopeID{namespace, name}, func(Scope) bool { return true })
}

// endScope ends a scope, if it is still to be when nobody uses it meanwhile.
func (r *Runner) endScope(ctx context.Context, id scopeID, still func(Scope) bool) (Scope, error) {
	s, err := r.changeScope(ctx, id, func(s *Scope) error {
		if s.Ended.IsZero() && still(*s) {
			s.Ended = time.Now()
		}
		return nil
	})
	if err == nil {
		r.started.Go(func() { r.dropVolumes(r.life) })
	}
	return s, err
}

// Repin moves an image of a scope to its current digest, if it is one of those
// that the caller may use: patterns of names, as in Ask.
func (r *Runner) Repin(ctx context.Context, namespace, name, image string, allowed []string) (old, current registry.Pin, s Scope, err error) {
	target, err := r.opts.Images.Resolve(image)
	if err == nil {
		err = mayUse(target.Image, allowed)
	}
	if err != nil {
		return old, current, s, err
	}
	s, err = r.changeScope(ctx, scopeID{namespace, name}, func(s *Scope) error {
		for i, p := range s.Pins {
			if p.Track == target.Track {
				old = p.Pin
				s.Pins[i].Pin, s.Pins[i].Since = target.Pin, time.Now()
				return nil
			}
		}
		return problem.New(problem.ScopeNotFound, fmt.Sprintf("pin scope %s has no digest of %s", name, target.Track), "prewarm scope show "+name+" lists what it has")
	})
	r.opts.Images.Kick()
	return old, target.Pin, s, err
}

// changeScope changes a scope on disk, then here.
func (r *Runner) changeScope(ctx context.Context, id scopeID, change func(*Scope) error) (Scope, error) {
	r.admission.Lock()
	defer r.admission.Unlock()
	s, err := r.Scope(id.namespace, id.name)
	if err != nil {
		return Scope{}, err
	}
	volume := s.Volume
	if err := change(&s); err != nil {
		return Scope{}, err
	}
	if err := r.opts.Store.SaveScope(context.WithoutCancel(ctx), s); err != nil {
		return Scope{}, fmt.Errorf("write pin scope %s down: %w", id.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if volume != s.Volume { // given up
		delete(r.scopes, scopeIDOf(s))
	}
	r.putScope(s)
	r.wake()
	return s, nil
}

// putScope takes what was written down of a scope. Where its volume is may have
// been settled meanwhile. The caller holds mu.
func (r *Runner) putScope(s Scope) {
	if old := r.scopes[scopeIDOf(s)]; old != nil && s.Host == "" {
		s.Host, s.Marker, s.Volume = old.Host, old.Marker, old.Volume
	}
	kept := s.clone()
	r.scopes[scopeIDOf(s)] = &kept
}

// fix gives a queued run the digest that its image has by now, which in a scope
// is the scope's: the first run there decides for all.
func (r *Runner) fix(l *live, target Target) {
	err := r.fixPin(l, target)
	if problem.CodeOf(err) == problem.ImageLeaving {
		pause(r.life, retryLeaving) // it is current no more: what is, is asked again
	} else if err != nil {
		r.log.Error("the digest of a run was not written down; trying again", "run", r.now(l).ID, "error", err)
		pause(r.life, time.Second)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l.fixing = false
	r.wake()
}

func (r *Runner) fixPin(l *live, target Target) error {
	r.admission.Lock()
	defer r.admission.Unlock()
	run := r.now(l)
	use := r.useOf(run.Terms)
	if pinned, ok := use.pinned(target); ok {
		target = pinned
	} else if use != nil {
		use.add(target)
		if err := r.opts.Store.SaveScope(r.life, *use.record(run)); err != nil {
			return err
		}
	}
	// On disk before a container of that digest can be: the next life must not
	// take another one.
	if err := r.save(r.life, l, func(run *Run) { run.Pin = target.Pin }); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if use != nil {
		r.putScope(*use.record(run))
	}
	return nil
}

// scopeOf gives the scope of a run; nil: it has none. The caller holds mu.
func (r *Runner) scopeOf(run Run) *Scope {
	return r.scopes[scopeID{run.Terms.Namespace, run.Terms.Scope}]
}

// keepScopes ends scopes that nobody used for long, forgets those that ended
// long ago, and removes the volumes of ended ones.
func (r *Runner) keepScopes(ctx context.Context, now time.Time) {
	r.mu.Lock()
	restored := !r.restored.IsZero()
	r.mu.Unlock()
	for _, s := range r.Scopes("") {
		// One of a backup may have been used since, and have its volume in use.
		if r.scopeBusy(s) || restored && s.Ended.IsZero() {
			r.touchScope(ctx, s, now)
			continue
		}
		switch {
		case s.Ended.IsZero() && now.Sub(s.Used) > scopeHeld:
			if _, err := r.endScope(ctx, scopeIDOf(s), func(now Scope) bool { return now.Used.Equal(s.Used) }); err != nil {
				r.log.Warn("an unused pin scope was not ended; trying again", "scope", s.Name, "error", err)
			}
		case !s.Ended.IsZero() && s.Volume == "" && now.Sub(s.Used) > scopeHeld+scopeKept:
			r.forgetScope(ctx, s)
		}
	}
	if !restored {
		r.dropVolumes(ctx)
	}
}

// touchScope notes that a scope is in use, now and then on disk.
func (r *Runner) touchScope(ctx context.Context, s Scope, now time.Time) {
	if now.Sub(s.Used) < time.Hour {
		return
	}
	_, err := r.changeScope(ctx, scopeIDOf(s), func(s *Scope) error { s.Used = now; return nil })
	if err != nil {
		r.log.Warn("the use of a pin scope was not written down; trying again", "scope", s.Name, "error", err)
	}
}

func (r *Runner) forgetScope(ctx context.Context, s Scope) {
	r.admission.Lock()
	defer r.admission.Unlock()
	if now, err := r.Scope(s.Namespace, s.Name); err != nil || !now.Used.Equal(s.Used) {
		return // in use again
	}
	if err := r.opts.Store.DeleteScope(ctx, s.Namespace, s.Name); err != nil {
		r.log.Warn("an old pin scope was not forgotten; trying again", "scope", s.Name, "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.scopes, scopeIDOf(s))
}

// scopeBusy tells whether a run of a scope is queued or under way, or may be.
func (r *Runner) scopeBusy(s Scope) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lives {
		if l.run.Terms.Namespace == s.Namespace && l.run.Terms.Scope == s.Name {
			return true
		}
	}
	for _, d := range r.owed {
		if d.run.Terms.Namespace == s.Namespace && d.run.Terms.Scope == s.Name {
			return true
		}
	}
	return false
}
