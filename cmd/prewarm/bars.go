package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

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
}

func newBars(w io.Writer) *bars {
	return &bars{all: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond)), byHost: make(map[string]*bar)}
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

func (b *bars) add(host string) *bar {
	added := &bar{}
	added.label.Store(new(string))
	added.Bar = b.all.New(0, mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding("░").Rbound("▏"),
		mpb.PrependDecorators(decor.Name(host, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *added.label.Load() })))
	b.byHost[host] = added
	return added
}

func (b *bar) update(h api.HostCopy) {
	label := describe(h)
	b.label.Store(&label)
	switch {
	case h.State == "warm":
		b.SetTotal(max(b.Current(), 1), false)
		b.SetCurrent(max(b.Current(), 1))
		b.SetTotal(-1, true)
	case !underWay(h):
		b.Abort(false)
	case h.Progress != nil && h.Progress.TotalBytes > 0:
		b.SetTotal(h.Progress.TotalBytes, false)
		b.SetCurrent(min(h.Progress.Bytes, h.Progress.TotalBytes-1)) // full means warm, and extraction takes most of the time
	}
}

func describe(h api.HostCopy) string {
	p := h.Progress
	switch {
	case h.State == "pulling" && p != nil && p.Layers > 0:
		return fmt.Sprintf("%s of %s, %d of %d layers unpacked", size(p.Bytes), size(p.TotalBytes), p.LayersDone, p.Layers)
	case h.Reason != "":
		return h.State + ": " + h.Reason
	default:
		return h.State
	}
}

func (b *bars) end() {
	for _, bar := range b.byHost {
		bar.Abort(false) // one that is complete ignores it
	}
	b.all.Wait()
}
