package hints

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// A look that failed is taken again after firstRetry, then after twice as long, up
// to maxRetry, and not before the registry wants it, until one succeeds: its
// sender was told that all is well, and the schedule may come round once a day.
const (
	firstRetry = time.Second
	maxRetry   = 10 * time.Minute
)

// ask wants the looks of a delivery that is on disk. The caller holds mu.
func (r *Receiver) ask(ctx context.Context, e entry) {
	if len(e.hints) == 0 {
		return
	}
	t := &ticket{id: e.delivery.ID, hook: e.delivery.Hook, events: e.delivery.IDs}
	now, setup := time.Now(), r.setup.Load()
	for _, h := range e.hints {
		l := r.lookers[h.image]
		if l == nil {
			i := slices.IndexFunc(setup.Images, func(i Image) bool { return i.Name == h.image })
			if i < 0 {
				r.tell(t, h.image, ledFailed+"the image left the configuration")
				continue
			}
			l = newLooker(ctx, setup.Images[i])
			r.lookers[h.image] = l
		}
		l.want(h, t, now)
		wake(l.stir)
		if !l.active {
			l.active = true
			r.looking.Go(func() { r.follow(l) })
		}
	}
}

// follow looks at an image until there is nothing more to look at, or its life
// ends. What is looked at is settled as late as can be: right before the request.
// So whatever was told before it is covered by it, and a flood of hints costs a
// look for each token of the limit, the last of them after the last hint.
func (r *Receiver) follow(l *looker) {
	for {
		wait, ok := r.nextOf(l)
		if !ok {
			return
		}
		if wait > 0 {
			if !sleep(l.life, wait, l.stir) {
				return
			}
			continue
		}
		if l.limit.Wait(l.life) != nil || !r.opts.Images.AwaitResume(l.life) || !r.enter(l.life) {
			return
		}
		r.look(l)
		<-r.slots
	}
}

// nextOf is next of a looker; one that has nothing to look at is at rest until
// somebody asks.
func (r *Receiver) nextOf(l *looker) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait, ok = l.next(time.Now())
	l.active = ok
	return wait, ok
}

func (r *Receiver) look(l *looker) {
	r.mu.Lock()
	taken := l.take(time.Now())
	r.mu.Unlock()
	if len(taken) == 0 {
		return
	}
	tags := slices.Sorted(maps.Keys(taken))
	if _, all := taken[""]; all {
		tags = nil
	}
	looks, err := r.opts.Images.LookAt(l.life, l.image.Name, tags)
	if l.life.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && !problem.Only(err, problem.TagNotFound) {
		r.fail(l, taken, err)
		return
	}
	l.pause = 0
	for tag, w := range taken {
		r.settle(l, tag, w, looks)
	}
}

// fail puts off what could not be looked at, unless its image is gone. The caller
// holds mu.
func (r *Receiver) fail(l *looker, taken map[string]*wish, err error) {
	l.pause = min(max(2*l.pause, firstRetry), maxRetry)
	spread := rand.N(l.pause / 10) // those that failed together don't come back together
	l.resting = time.Now().Add(max(l.pause, problem.From(err).RetryAfter) + spread)
	for tag, w := range taken {
		for _, t := range w.tickets {
			r.tell(t, l.image.Name, ledFailed+clip(err.Error()))
		}
		if problem.CodeOf(err) != problem.ImageNotManaged {
			l.put(tag, w, l.resting)
		}
	}
	r.log.Debug("image not looked at for a webhook", "image", l.image.Name, "again", l.resting, "error", err)
}

// settle says what a look found, and asks for another one where a tag does not
// show yet what its sender says. The caller holds mu.
func (r *Receiver) settle(l *looker, tag string, w *wish, looks []Look) {
	text, shown := ledLooked+"the tag is not there", w.digest == ""
	for _, found := range looks {
		if tag != "" && found.Tag != tag {
			continue
		}
		shown = shown || found.Digest == w.digest
		switch {
		case found.New:
			text = ledFound + string(found.Digest)
		case !strings.HasPrefix(text, ledFound):
			text = ledLooked + "nothing new"
		}
	}
	if !shown {
		text += l.again(tag, w, time.Now())
	}
	for _, t := range w.tickets {
		r.tell(t, l.image.Name, text)
	}
}

// again asks for another look at a tag that does not show what its sender says,
// as long as one is worth it, and says so.
func (l *looker) again(tag string, w *wish, now time.Time) string {
	if w.first.IsZero() {
		w.first = now
	}
	if w.again == len(relooks) {
		return ", and not " + string(w.digest) + "; left to the schedule"
	}
	due := w.first.Add(relooks[w.again])
	w.again++
	l.put(tag, w, due)
	return ", and not " + string(w.digest) + " yet"
}

// settleAll tells all who wait for an image what became of that. The caller
// holds mu.
func (r *Receiver) settleAll(l *looker, text string) {
	for _, w := range l.wishes {
		for _, t := range w.tickets {
			r.tell(t, l.image.Name, text)
		}
	}
}

// enter waits for room for another look; false when ctx ended.
func (r *Receiver) enter(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// sleep waits, or until somebody stirs; false when ctx ended.
func sleep(ctx context.Context, wait time.Duration, stir <-chan struct{}) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-stir:
	case <-t.C:
	}
	return true
}
