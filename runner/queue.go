package runner

import (
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// maxIdle bounds the time between two looks at the queue when no wait ends.
const maxIdle = time.Minute

// dispatch places what can be placed, in order of submit, and refuses what has
// waited long enough. It returns how long no wait ends.
func (r *Runner) dispatch() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, due := time.Now(), maxIdle
	r.queue = slices.DeleteFunc(r.queue, func(l *live) bool {
		if r.life.Err() != nil {
			return false // it stays queued on disk
		}
		done := r.tryPlace(l, now)
		if wait := l.waitUntil.Sub(now); !done && wait > 0 {
			due = min(due, wait)
		}
		return done
	})
	return due
}

// tryPlace starts a queued run if it can and ends it if it must; it returns
// false while the run has to wait. The caller holds mu.
func (r *Runner) tryPlace(l *live, now time.Time) bool {
	if l.run.Pin.IsZero() {
		_, pin, err := r.opts.Images.Pin(l.run.Spec.Image)
		if problem.CodeOf(err) == problem.ImageNotManaged {
			r.started.Go(func() { r.refuse(l, err) })
			return true
		}
		if err != nil {
			return r.waitOrRefuse(l, now, err)
		}
		l.run.Pin = pin
	}
	warm, cold := r.opts.Images.WarmHosts(l.run.Image, l.run.Pin)
	for _, name := range l.avoid {
		warm = slices.DeleteFunc(warm, func(n string) bool { return n == name })
		cold[name] = "lost the image just now"
	}
	if len(warm)+len(cold) == 0 {
		// A reload took the image or its hosts away: waiting brings nothing.
		r.started.Go(func() { r.refuse(l, notWarm(l.run.Image, l.run.Pin, cold)) })
		return true
	}
	if len(warm) == 0 {
		l.avoid = nil // the next look may find it warm again
		return r.waitOrRefuse(l, now, notWarm(l.run.Image, l.run.Pin, cold))
	}
	h := r.freeHost(warm)
	if h == nil {
		return false // all slots are taken: their ends wake us
	}
	h.inUse++
	l.run.Host, l.run.EngineMarker = h.Name, r.opts.Images.Marker(h.Name)
	l.run.State, l.run.Placed = Starting, now
	r.started.Go(func() { r.execute(r.life, l, h) })
	return true
}

// waitOrRefuse tells false while the run may wait for warmth, and ends it with
// err after that. The caller holds mu.
func (r *Runner) waitOrRefuse(l *live, now time.Time, err error) bool {
	if now.Before(l.waitUntil) {
		return false
	}
	r.started.Go(func() { r.refuse(l, err) })
	return true
}

func (r *Runner) freeHost(warm []string) *host {
	var candidates []candidate
	for _, h := range r.hosts {
		if slices.Contains(warm, h.Name) {
			candidates = append(candidates, candidate{host: h.Name, slots: h.Slots, inUse: h.inUse})
		}
	}
	name, ok := place(candidates)
	if !ok {
		return nil
	}
	return r.hostOf(name)
}

func (r *Runner) hostOf(name string) *host {
	i := slices.IndexFunc(r.hosts, func(h *host) bool { return h.Name == name })
	return r.hosts[i]
}
