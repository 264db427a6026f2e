package warmer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer/prune"
)

// surveyEvery is how often the images of each host are listed with nobody asking
// for it: what is found first then counts its age from then on.
const surveyEvery = time.Hour

// survey is a host's images at one moment, and what the ledger says of them.
type survey struct {
	at        time.Time
	listed    []Listed
	inventory prune.Inventory // in the order of listed
	known     []bool          // by image: somebody saw it used
}

// survey lists what is on a host. It is work for the engine.
func (w *Warmer) survey(ctx context.Context, h *host) (survey, error) {
	listed, err := h.Host.List(ctx)
	if err != nil {
		return survey{}, err
	}
	p, err := w.recallPast(ctx)
	if err != nil {
		return survey{}, err
	}
	runs, err := w.opts.Ledger.LastRuns(ctx, h.Name)
	if err != nil {
		return survey{}, err
	}
	if err := w.loadUses(ctx, h); err != nil {
		return survey{}, err
	}
	s := survey{at: time.Now(), listed: listed}
	w.mu.Lock()
	uses := h.uses.update(s.at, h.engine.ClockOffset, listed, runs)
	s.inventory.Now = s.at
	for _, l := range listed {
		image, used := w.inventoried(h, l, p), h.uses.of[l.ID]
		image.Seen, image.Used = used.Seen, used.Used
		if image.Used.Before(image.Seen) {
			image.Used = image.Seen
		}
		s.inventory.Images = append(s.inventory.Images, image)
		s.known = append(s.known, !used.Used.IsZero())
	}
	h.stocked, h.stockBytes, h.surveyed = true, layerBytes(listed), s.at
	w.mu.Unlock()
	return s, w.opts.Ledger.SaveUses(ctx, h.Name, uses)
}

// recallPast asks the ledger who wants which digests, and which were ours.
func (w *Warmer) recallPast(ctx context.Context) (past, error) {
	leases, err := w.opts.Ledger.Leases(ctx)
	if err != nil {
		return past{}, err
	}
	all, err := w.opts.Ledger.Remembered(ctx)
	if err != nil {
		return past{}, err
	}
	p := past{leases: leases, memories: make(map[registry.Pin][]Memory, len(all))}
	for _, m := range all {
		p.memories[m.Pin] = append(p.memories[m.Pin], m)
	}
	return p, nil
}

// inventoried is an image as it is decided on. A digest that something wants is
// ours by that alone, whether or not its keep-tag is there yet. The caller holds
// mu.
func (w *Warmer) inventoried(h *host, l Listed, p past) prune.Image {
	image := prune.Image{ID: l.ID, Bytes: l.Bytes, Layers: l.Layers, Tagged: len(l.Tags) > 0}
	ours := make(map[registry.Repository]bool)
	add := func(pin registry.Pin, s prune.Pinned) {
		ours[pin.Repository()] = true
		image.Pins = append(image.Pins, s)
	}
	for _, pin := range l.Pins {
		add(pin, w.standing(h, pin, p))
	}
	for _, name := range l.Digests {
		pin, err := registry.ParsePin(name)
		if err != nil || slices.Contains(l.Pins, pin) {
			continue
		}
		if s := w.standing(h, pin, p); s.Standing == prune.Wanted || s.Standing == prune.Kept {
			add(pin, s)
		}
	}
	image.Digests = slices.Clone(l.Pins)
	for _, name := range l.Digests {
		if pin, err := registry.ParsePin(name); err == nil && !slices.Contains(image.Digests, pin) {
			image.Digests = append(image.Digests, pin)
		}
	}
	if stuck := h.stuck[l.ID]; time.Now().Before(stuck.until) {
		image.Stuck = stuck.why
	}
	image.Names = slices.Clone(l.Tags)
	for _, name := range l.Digests {
		// The engine drops a digest with the last tag of its repository, ours too.
		if repo, _, _ := strings.Cut(name, "@"); !repoTagged(l.Tags, repo) && !oursIs(ours, name) {
			image.Names = append(image.Names, name)
		}
	}
	for _, c := range l.Containers {
		image.Containers = append(image.Containers, c.Name)
	}
	return image
}

func oursIs(ours map[registry.Repository]bool, name string) bool {
	pin, err := registry.ParsePin(name)
	return err == nil && ours[pin.Repository()]
}

func repoTagged(tags []string, repo string) bool {
	return slices.ContainsFunc(tags, func(t string) bool {
		i := strings.LastIndexByte(t, ':')
		return i > 0 && t[:i] == repo
	})
}

// layerBytes is what all layers take, shared ones once.
func layerBytes(listed []Listed) int64 {
	seen := make(map[string]bool)
	var n int64
	for _, l := range listed {
		for _, layer := range l.Layers {
			if !seen[layer.ID] {
				seen[layer.ID] = true
				n += layer.Bytes
			}
		}
	}
	return n
}

// Stock tells what is on a host now. The engine is asked.
func (w *Warmer) Stock(ctx context.Context, name string) (Stock, error) {
	h, err := w.prunable(name)
	if err != nil {
		return Stock{}, err
	}
	s, err := w.survey(ctx, h)
	if err != nil {
		return Stock{}, err
	}
	return w.stockOf(h, s), nil
}

func (w *Warmer) stockOf(h *host, s survey) Stock {
	w.mu.Lock()
	policy, r := h.Prune.Policy, w.tightest(h)
	w.mu.Unlock()
	stock := Stock{Host: h.Name, At: s.at, Disk: r.Disk, High: r.high, Low: r.low, Bytes: layerBytes(s.listed)}
	verdicts := make(map[string]prune.Verdict)
	for _, v := range prune.Decide(policy, s.inventory).Verdicts {
		verdicts[v.Image.ID] = v
	}
	holders := make(map[string]int) // images by layer
	for _, l := range s.listed {
		for _, layer := range l.Layers {
			holders[layer.ID]++
		}
	}
	var ours []Listed
	for i, l := range s.listed {
		image := StockImage{
			Listed: l, Seen: s.inventory.Images[i].Seen, Used: s.inventory.Images[i].Used, UsedKnown: s.known[i],
			Alone: l.Unique, AloneExact: l.Unique >= 0, Verdict: verdicts[l.ID],
		}
		if l.Unique < 0 {
			image.Alone = aloneBytes(l, holders)
		}
		if len(l.Pins) > 0 {
			ours = append(ours, l)
		}
		stock.Images = append(stock.Images, image)
	}
	stock.Ours = layerBytes(ours)
	slices.SortFunc(stock.Images, func(a, b StockImage) int {
		return cmp.Or(cmp.Compare(b.Listed.Bytes, a.Listed.Bytes), cmp.Compare(a.Listed.ID, b.Listed.ID))
	})
	return stock
}

func aloneBytes(l Listed, holders map[string]int) int64 {
	var n int64
	for _, layer := range l.Layers {
		if holders[layer.ID] == 1 {
			n += layer.Bytes
		}
	}
	return n
}

// noHost says that there is no host of a name. The caller holds mu.
func (w *Warmer) noHost(name string) error {
	return problem.New(problem.HostNotManaged, fmt.Sprintf("no host is called %q", name), "take one of "+strings.Join(slices.Sorted(maps.Keys(w.hosts)), ", "))
}

// prunable finds a host whose engine can be asked what it holds.
func (w *Warmer) prunable(name string) (*host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[name]
	switch {
	case h == nil:
		return nil, w.noHost(name)
	case h.contact == Duplicate:
		return nil, problem.New(problem.HostUnreachable, "host "+name+" is "+w.sharedEngine(h), "take one of the entries out of the configuration")
	case h.contact != Reachable:
		return nil, problem.New(problem.HostUnreachable, fmt.Sprintf("host %s is %s: %s", name, h.contact, reason(h.err)), "prewarm doctor tells why")
	}
	return h, nil
}
