package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/prewarm/prewarm/internal/api"
)

// bars shows a progress bar for each host: for terminals.
type bars struct {
	all    *mpb.Progress
	byHost map[string]*bar
}

// bar is a host's. The library draws from goroutines of its own.
type bar struct {
	*mpb.Bar
	label atomic.Pointer[string]
	warm  bool
}

// newBars draws on w. More options are for tests, whose w is no terminal.
func newBars(w io.Writer, more ...mpb.ContainerOption) *bars {
	options := append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(100 * time.Millisecond)}, more...)
	return &bars{all: mpb.New(options...), byHost: make(map[string]*bar)}
}

func (b *bars) show(hosts []api.HostCopy) {
	for _, h := range hosts {
		current := b.byHost[h.Host]
		if current == nil {
			current = b.add(h.Host)
		}
		current.update(h)
	}
}

// barWidth is that of the bar alone, in characters: on a terminal of 80 it
// leaves room for a host's name and for what is said behind it.
const barWidth = 24

func (b *bars) add(host string) *bar {
	added := &bar{}
	added.label.Store(new(string))
	added.Bar = b.all.New(0, mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding("░").Rbound("▏"),
		mpb.BarWidth(barWidth),
		mpb.PrependDecorators(decor.Name(host, decor.WCSyncWidthR)),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return fit(*added.label.Load(), s.AvailableWidth) })))
	b.byHost[host] = added
	return added
}

// minLabel is what a label gets on a terminal too narrow for it and the bar.
const minLabel = 20

// fit cuts a label to what the line has left beside the bar and two spaces: the
// library gives a long label the room of the bar.
func fit(label string, left int) string {
	room := max(left-barWidth-2, min(minLabel, left-2))
	if room <= 0 {
		return "" // Snip takes that for no limit
	}
	return text.Snip(label, room, "…")
}

// update shows where a copy is now. No bar is ended before all are: a host that
// failed may be tried again while others are pulling.
func (b *bar) update(h api.HostCopy) {
	label := describe(h)
	b.label.Store(&label)
	b.warm = h.State == "warm"
	switch {
	case b.warm:
		b.SetTotal(1, false)
		b.SetCurrent(1)
	case h.Progress != nil && h.Progress.TotalBytes > 0:
		b.SetTotal(h.Progress.TotalBytes, false)
		b.SetCurrent(min(h.Progress.Bytes, h.Progress.TotalBytes-1)) // full means warm, and extraction takes most of the time
	}
}

func describe(h api.HostCopy) string {
	p := h.Progress
	if h.State == "pulling" && p != nil && p.Layers > 0 {
		return fmt.Sprintf("%s of %s%s, %d/%d layers unpacked", size(p.Bytes), size(p.TotalBytes), speed(h), p.LayersDone, p.Layers)
	}
	return stateOf(h)
}

// speed is how fast a pull goes and how long it may still take, where that is
// known.
func speed(h api.HostCopy) string {
	if h.RateBytes == 0 {
		return ""
	}
	text := " at " + rate(h.RateBytes)
	if h.RemainingSeconds > 0 {
		text += ", " + remaining(h.RemainingSeconds) + " left"
	}
	return text
}

func (b *bars) end() {
	for _, bar := range b.byHost {
		if bar.warm {
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(false)
		}
	}
	b.all.Wait()
}
