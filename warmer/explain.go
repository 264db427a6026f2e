package warmer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// question is what somebody wants to have explained.
type question struct {
	text string
	// image is the configured image or track that the text names, pins are those
	// of its digests that are remembered, and ref what it is spelled as else.
	image string
	pins  []registry.Pin
	ref   string
}

// Explain says why an image is on a host and why it stays or goes, or why it is
// not there. The image is a configured name, one with a tag or a digest, a ref, a
// pin, or the engine's id or a digest, shortened too.
func (w *Warmer) Explain(ctx context.Context, host, image string) (Explanation, error) {
	stock, err := w.Stock(ctx, host)
	if err != nil {
		return Explanation{}, err
	}
	q := w.asked(image)
	x := Explanation{Host: host}
	for _, i := range stock.Images {
		if q.means(i) {
			x.Images = append(x.Images, i)
		}
	}
	if len(x.Images) == 0 {
		if x.Absent = w.absence(host, q); x.Absent == "" {
			return Explanation{}, problem.New(problem.ImageNotManaged, fmt.Sprintf("nothing on host %s, and nothing of the configuration, answers to %q", host, image),
				"prewarm images --host "+host+" lists what is there")
		}
	}
	passes, err := w.opts.Ledger.Passes(ctx, host, explained)
	if err != nil {
		return Explanation{}, err
	}
	x.Log = w.story(host, q, x.Images, passes)
	return x, nil
}

// explained is how many of a host's passes are looked through.
const explained = 200

// asked finds out what a text means.
func (w *Warmer) asked(text string) question {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := question{text: text, ref: canonical(text)}
	if e := w.entryOf(text); e != nil {
		q.image = text
		for _, t := range e.tracks {
			q.take(t)
		}
	} else if t := w.meant(text); t != nil {
		q.image = t.ID.String()
		q.take(t)
	} else if pin, ok := w.pinOf(text); ok {
		q.pins = []registry.Pin{pin}
	}
	return q
}

// pinOf reads repo@digest, where repo may be a configured image. The caller holds
// mu.
func (w *Warmer) pinOf(text string) (registry.Pin, bool) {
	name, digest, _ := strings.Cut(text, "@")
	if e := w.entryOf(name); e != nil {
		d, err := registry.ParseDigest(digest)
		return registry.NewPin(e.Repository, d), err == nil
	}
	pin, err := registry.ParsePin(text)
	return pin, err == nil
}

func (q *question) take(t *track) {
	for _, r := range t.rollouts {
		if !slices.Contains(q.pins, r.Pin) {
			q.pins = append(q.pins, r.Pin)
		}
	}
}

// shortestID is how many digits of an id are enough to name an image by it.
const shortestID = 6

// means tells whether the question is about an image.
func (q question) means(i StockImage) bool {
	for _, p := range i.Verdict.Image.Pins {
		if slices.Contains(q.pins, p.Pin) || q.image != "" && p.Image == q.image {
			return true
		}
	}
	if slices.Contains(i.Listed.Tags, q.ref) || slices.Contains(i.Listed.Digests, q.ref) {
		return true
	}
	hex := strings.TrimPrefix(q.text, "sha256:")
	if len(hex) < shortestID {
		return false
	}
	return strings.HasPrefix(strings.TrimPrefix(i.Listed.ID, "sha256:"), hex) ||
		slices.ContainsFunc(i.Listed.Digests, func(d string) bool { return strings.Contains(d, "@sha256:"+hex) })
}

// absence says why what was asked for is not on a host; nothing where nobody ever
// heard of it.
func (w *Warmer) absence(host string, q question) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var why []string
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			if !slices.Contains(q.pins, r.Pin) {
				continue
			}
			switch {
			case !slices.Contains(t.Hosts, host):
				why = appendNew(why, t.ID.Image+" is not meant for the host")
			case r.Open():
				c := w.hostCopy(r, host)
				why = appendNew(why, fmt.Sprintf("%s, %s of %s, is %s there", r.Pin.Digest().Short(), r.Phase, t.ID, c.Summary()))
			default:
				gone := "and is not kept"
				if h := w.hosts[host]; h != nil && h.copies[r.Pin] != nil && h.copies[r.Pin].GivenUp {
					gone = "and was given up for want of space"
				}
				why = appendNew(why, fmt.Sprintf("%s of %s is %s %s", r.Pin.Digest().Short(), t.ID, r.Phase, gone))
			}
		}
	}
	if len(why) == 0 && q.image != "" {
		why = []string{"nothing of " + q.image + " was ever seen in its registry"}
	}
	if len(why) == 0 && len(q.pins) > 0 {
		why = []string{"nothing of the configuration wants it, and it is not there"}
	}
	return strings.Join(why, "; ")
}

// story is what is known to have happened to images on a host, oldest first.
func (w *Warmer) story(host string, q question, images []StockImage, passes []Pass) []LogEntry {
	pins := slices.Clone(q.pins)
	about := make(map[string]bool) // ids and names
	var log []LogEntry
	note := func(at time.Time, pin registry.Pin, what string) {
		if !at.IsZero() {
			log = append(log, LogEntry{At: at, What: what, Pin: pin})
		}
	}
	for _, i := range images {
		about[i.Listed.ID] = true
		var one registry.Pin
		for _, p := range i.Verdict.Image.Pins {
			one = p.Pin
			if !slices.Contains(pins, p.Pin) {
				pins = append(pins, p.Pin)
			}
		}
		note(i.Seen, one, "known to be on the host since then")
		if i.UsedKnown {
			note(i.Used, one, "used last")
		}
		for _, c := range i.Listed.Containers {
			note(c.Used, one, containerNote(c))
		}
	}
	for _, pin := range pins {
		about[pin.String()] = true
	}
	w.rolloutStory(pins, note)
	w.copyStory(host, pins, note)
	for _, p := range passes {
		for _, r := range p.Removals {
			if about[r.ID] || slices.ContainsFunc(r.Names, func(n string) bool { return about[n] || n == q.ref }) {
				note(p.Begun, registry.Pin{}, strings.TrimSpace(fmt.Sprintf("prune pass (%s): %s, %s %s", p.Trigger, r.Outcome, r.Why, r.Detail)))
			}
		}
	}
	slices.SortStableFunc(log, func(a, b LogEntry) int { return a.At.Compare(b.At) })
	return log
}

// pastOf is how much of what became of a digest on a host is kept to be told.
const pastOf = 20

// remember keeps what is on no record: that somebody took a digest from the host, and
// that it is warm again. Passes are on record, and failures are in the status. The
// caller holds the Warmer's mu.
func (h *host) remember(pin registry.Pin, state, detail string) {
	what := ""
	switch state {
	case copyRemoved:
		what = "somebody took it away: " + detail
	case string(StateWarm):
		what = "became warm"
	case string(StateWaiting):
		what = detail
	default:
		return
	}
	past := h.past[pin]
	h.past[pin] = append(slices.Clone(past[max(0, len(past)-pastOf+1):]), LogEntry{At: time.Now(), Pin: pin, What: what})
}

// copyStory notes what became of digests on a host since the server started.
func (w *Warmer) copyStory(host string, pins []registry.Pin, note func(time.Time, registry.Pin, string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[host]
	if h == nil {
		return
	}
	for _, pin := range pins {
		for _, e := range h.past[pin] {
			note(e.At, e.Pin, e.What)
		}
	}
}

func containerNote(c ContainerOf) string {
	if c.Running {
		return "container " + c.Name + " runs on it"
	}
	return "container " + c.Name + " was made of it and does not run"
}

// rolloutStory notes what became of digests.
func (w *Warmer) rolloutStory(pins []registry.Pin, note func(time.Time, registry.Pin, string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t := range w.tracks() {
		for _, r := range t.rollouts {
			if !slices.Contains(pins, r.Pin) {
				continue
			}
			note(r.Seen, r.Pin, fmt.Sprintf("%s showed it (%s)", t.ID, r.Pin.Digest().Short()))
			by := ""
			if r.PromotedBy != "" {
				by = ", by " + r.PromotedBy
			}
			note(r.Promoted, r.Pin, fmt.Sprintf("became current of %s%s", t.ID, by))
			note(r.Ended, r.Pin, fmt.Sprintf("%s as a digest of %s", r.Phase, t.ID))
		}
	}
}
