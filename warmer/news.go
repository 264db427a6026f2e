package warmer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// news is what people are told, as far as it is not told with a change of its
// own. Warmer.mu guards it.
type news struct {
	notices []notice.Event // not on disk yet
	// troubles are those that people were told of, and changed those of them, or
	// of their ends, that are not on disk yet.
	troubles map[Trouble]time.Time
	changed  map[Trouble]bool
}

// tellAgain is after how long people are told again of what is not over.
const tellAgain = 30 * 24 * time.Hour

// troubleOf names a trouble by its kind and its subject: a host first, where
// there is one.
func troubleOf(kind notice.Kind, subject ...string) Trouble {
	return Trouble(string(kind) + " " + strings.Join(subject, " "))
}

// host is the one that a trouble is about; empty: it is about none.
func (t Trouble) host() string {
	words := strings.Fields(string(t))
	if len(words) < 2 || !slices.Contains([]notice.Kind{notice.HostDown, notice.WarmFailed, notice.DiskPressure, notice.DriftRepaired}, notice.Kind(words[0])) {
		return ""
	}
	return words[1]
}

// inform tells people something, with the next look at the whole: that writes it
// down. The caller holds mu.
func (w *Warmer) inform(e notice.Event) {
	w.news.notices = append(w.news.notices, e)
	w.Kick()
}

// raise tells of a trouble, once for as long as it lasts or until it has lasted
// for so long again. The caller holds mu.
func (w *Warmer) raise(t Trouble, again time.Duration, e notice.Event) {
	if since, known := w.news.troubles[t]; known && e.At.Sub(since) < again {
		return
	}
	w.news.troubles[t], w.news.changed[t] = e.At, true
	w.inform(e)
}

// overcome notes that a trouble is over, and tells whether people knew of it. The
// caller holds mu.
func (w *Warmer) overcome(t Trouble) bool {
	_, known := w.news.troubles[t]
	if known {
		delete(w.news.troubles, t)
		w.news.changed[t] = true
		w.Kick()
	}
	return known
}

// forgetTroubles ends the troubles of hosts that are not in the configuration any
// more. The caller holds mu.
func (w *Warmer) forgetTroubles() {
	for t := range w.news.troubles {
		if name := t.host(); name != "" && w.hosts[name] == nil {
			w.overcome(t)
		}
	}
}

// owed gives what is not on disk yet: news, and which engines answer.
func (w *Warmer) owed() Change {
	engines := w.newEngines()
	w.mu.Lock()
	defer w.mu.Unlock()
	c := Change{Engines: engines, Notices: slices.Clone(w.news.notices)}
	for t := range w.news.changed {
		since, lasts := w.news.troubles[t]
		switch {
		case !lasts:
			c.Over = append(c.Over, t)
		case c.Troubles == nil:
			c.Troubles = map[Trouble]time.Time{t: since}
		default:
			c.Troubles[t] = since
		}
	}
	return c
}

// none tells that nothing is owed.
func (c Change) none() bool {
	return len(c.Engines)+len(c.Notices)+len(c.Troubles)+len(c.Over) == 0
}

// wrote notes that what was owed is on disk.
func (w *Warmer) wrote(c Change) {
	w.wroteEngines(c.Engines)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.news.notices = slices.Clone(w.news.notices[len(c.Notices):])
	settled := func(t Trouble, at time.Time, lasts bool) {
		if since, now := w.news.troubles[t]; now == lasts && since.Equal(at) {
			delete(w.news.changed, t)
		}
	}
	for t, since := range c.Troubles {
		settled(t, since, true)
	}
	for _, t := range c.Over {
		settled(t, time.Time{}, false)
	}
}

// part writes down what is owed at the end: nobody looks again.
func (w *Warmer) part(ctx context.Context) {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	c := w.owed()
	if c.none() {
		return
	}
	if err := w.opts.Store.Save(context.WithoutCancel(ctx), c); err != nil {
		w.log.Error("what people are to be told is not written down", "notices", len(c.Notices), "error", err)
		return
	}
	w.wrote(c)
}
