package dockertest

import (
	"context"

	"github.com/prewarm/prewarm/warmer"
)

// mostNews is how many happenings are kept for watchers that are behind, as an
// engine keeps 256 events.
const mostNews = 256

// news are the happenings that watchers may still have to be told.
type news struct {
	kept  []warmer.Happening // oldest first
	older int                // how many were there before
	muted bool
}

// since gives what happened after the first n happenings, and how many there
// were by now.
func (n *news) since(told int) ([]warmer.Happening, int) {
	first := max(0, told-n.older)
	return append([]warmer.Happening(nil), n.kept[first:]...), n.older + len(n.kept)
}

// Watch tells of each removal and each start, and ends when the engine is cut
// off, restarted or wiped.
func (f *Fake) Watch(ctx context.Context, tell func(warmer.Happening)) error {
	const what = "watch"
	f.mu.Lock()
	_, told := f.news.since(0)
	cuts := f.cuts
	f.mu.Unlock()
	for {
		var fresh []warmer.Happening
		err := f.until(ctx, what, func() (bool, error) {
			if err := f.reach(ctx, what); err != nil {
				return false, err
			}
			if f.cuts != cuts {
				return false, f.unreachable(what)
			}
			fresh, told = f.news.since(told)
			return len(fresh) > 0, nil
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		for _, h := range fresh {
			tell(h)
		}
	}
}

// MuteEvents lets removals and starts pass untold, as events get lost in a real
// engine, or tells them again.
func (f *Fake) MuteEvents(mute bool) { f.change(func() { f.news.muted = mute }) }

// lose does what takes something away, and tells of it.
func (f *Fake) lose(do func()) {
	f.change(func() {
		do()
		f.happen(warmer.Happening{Removed: true, At: f.now()})
	})
}

// happen tells those who watch. The caller holds the lock, and wakes them.
func (f *Fake) happen(h warmer.Happening) {
	if f.news.muted {
		return
	}
	f.news.kept = append(f.news.kept, h)
	if over := len(f.news.kept) - mostNews; over > 0 {
		f.news.kept, f.news.older = f.news.kept[over:], f.news.older+over
	}
}
