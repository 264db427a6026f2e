package hints

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/registry"
)

const (
	// An image is looked at at once for the first three hints, then once in five
	// seconds, and once more after the last.
	lookBurst = 3
	lookEvery = 5 * time.Second
	// maxLooks is how many images are looked at at the same time.
	maxLooks = 8
	// patience is how long a hint without a tag waits for one of the same image
	// with a tag to take its place. A push of several platforms tells of each
	// child, by digest alone, before it tells of the tag: looks for those would
	// find nothing, and use up what the tag's look needs. Where no such hint
	// comes all tags are looked at, since some senders never tell the tag.
	patience = 500 * time.Millisecond
	// maxWishes bounds how many tags of an image are waited for; of more, all
	// tags are looked at.
	maxWishes = 100
	// maxTickets bounds whose outcome a wish is: the store forgets older ones.
	maxTickets = 1000
)

// relooks are when a tag is looked at again, counted from the first look, that
// does not show the digest that its sender named. CNCF Distribution tells of a
// push before it moves the tag, so that a look can come a moment too early;
// registries of several regions need a while.
var relooks = [...]time.Duration{200 * time.Millisecond, 2 * time.Second, 10 * time.Second, time.Minute}

// wish is a tag that is to be looked at.
type wish struct {
	due     time.Time
	digest  registry.Digest // that the last hint named; empty: none
	first   time.Time       // when it was looked at and showed another digest; zero: not yet
	again   int             // looks since then
	tickets []*ticket
}

// looker looks at an image. Receiver.mu guards it.
type looker struct {
	image  Image
	limit  *rate.Limiter
	life   context.Context
	leave  context.CancelFunc
	stir   chan struct{} // holds one token: "there is another wish"
	active bool
	wishes map[string]*wish // by tag; that of the empty one is for all tags
	// resting is until when the registry is left alone, and pause how long after
	// the last look that failed; 0: it did not fail.
	resting time.Time
	pause   time.Duration
}

func newLooker(ctx context.Context, image Image) *looker {
	l := &looker{
		image: image, limit: rate.NewLimiter(rate.Every(lookEvery), lookBurst),
		stir: make(chan struct{}, 1), wishes: make(map[string]*wish),
	}
	l.life, l.leave = context.WithCancel(ctx)
	return l
}

// want notes a hint.
func (l *looker) want(h hint, t *ticket, now time.Time) {
	tag, due := h.tag, now
	w := l.wishes[tag]
	if w == nil && len(l.wishes) >= maxWishes {
		tag, w = "", l.wishes[""]
	}
	if tag == "" {
		due = now.Add(patience)
	}
	if w == nil {
		w = &wish{due: due}
		l.wishes[tag] = w
	}
	if due.Before(w.due) {
		w.due = due
	}
	w.again, w.first, w.digest = 0, time.Time{}, ""
	if tag != "" {
		w.digest = h.event.Digest
		l.replaceAll(w, now)
	}
	w.join(t)
}

// replaceAll lets a tag's wish take the place of one for all tags that still
// waits for it.
func (l *looker) replaceAll(w *wish, now time.Time) {
	all := l.wishes[""]
	if all == nil || !all.due.After(now) || len(l.wishes) > maxWishes {
		return
	}
	delete(l.wishes, "")
	for _, t := range all.tickets {
		w.join(t)
	}
}

func (w *wish) join(t *ticket) {
	if len(w.tickets) > 0 && w.tickets[len(w.tickets)-1] == t {
		return // several events of one delivery
	}
	if len(w.tickets) >= maxTickets {
		w.tickets = w.tickets[1:]
	}
	w.tickets = append(w.tickets, t)
}

// next is how long until the next wish is due; false: there is none.
func (l *looker) next(now time.Time) (wait time.Duration, ok bool) {
	var due time.Time
	for _, w := range l.wishes {
		if due.IsZero() || w.due.Before(due) {
			due = w.due
		}
	}
	if due.Before(l.resting) {
		due = l.resting
	}
	return due.Sub(now), len(l.wishes) > 0
}

// take gives the wishes that are due, and forgets them: a hint that comes while
// they are looked at asks for another look.
func (l *looker) take(now time.Time) map[string]*wish {
	taken := make(map[string]*wish)
	for tag, w := range l.wishes {
		if !w.due.After(now) {
			taken[tag] = w
			delete(l.wishes, tag)
		}
	}
	return taken
}

// put wishes for a tag once more, unless a newer hint has.
func (l *looker) put(tag string, w *wish, due time.Time) {
	if newer := l.wishes[tag]; newer != nil {
		for _, t := range w.tickets {
			newer.join(t)
		}
		return
	}
	w.due = due
	l.wishes[tag] = w
}
