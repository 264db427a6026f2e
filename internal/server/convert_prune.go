package server

import (
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func passesOf(passes []warmer.Pass) api.Passes {
	all := api.Passes{Passes: []api.Pass{}}
	for _, p := range passes {
		all.Passes = append(all.Passes, passOf(p))
	}
	return all
}

func passOf(p warmer.Pass) api.Pass {
	pass := api.Pass{
		ID: p.ID, Host: p.Host, Trigger: string(p.Trigger), By: p.Who, DryRun: p.DryRun, BegunAt: p.Begun, EndedAt: when(p.Ended),
		NeedBytes: p.Need, ShortBytes: p.Short, Removals: []api.PassRemoval{}, Stays: p.Stays,
		PredictedBytes: p.Predicted, FreedBytes: p.Freed, Stopped: p.Stopped,
	}
	for _, r := range p.Removals {
		pass.Removals = append(pass.Removals, api.PassRemoval{
			ID: r.ID, Names: listOf(r.Names), Rule: string(r.Rule), Why: r.Why, PredictedBytes: r.Predicted, Outcome: string(r.Outcome), Detail: r.Detail,
		})
	}
	return pass
}

// listOf is a list that is never null.
func listOf(names []string) []string { return append([]string{}, names...) }

// mapOf does the same for labels.
func mapOf(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

func stockOf(s warmer.Stock) api.Stock {
	stock := api.Stock{Host: s.Host, At: s.At, Disk: diskOf(s.Disk), HighBytes: s.High, LowBytes: s.Low, Bytes: s.Bytes, OursBytes: s.Ours, Images: []api.StockImage{}}
	for _, i := range s.Images {
		stock.Images = append(stock.Images, stockImageOf(i))
	}
	return stock
}

// diskOf is a disk, or nil where nothing is known of it.
func diskOf(d warmer.Disk) *api.Disk {
	if d.Total == 0 {
		return nil
	}
	return &api.Disk{Free: d.Free, Total: d.Total}
}

func stockImageOf(i warmer.StockImage) api.StockImage {
	image := api.StockImage{
		ID: i.Listed.ID, Pins: pinsOf(i.Listed.Pins), Tags: listOf(i.Listed.Tags), Digests: listOf(i.Listed.Digests),
		BuiltAt: when(i.Listed.Built), SeenAt: i.Seen, Bytes: i.Listed.Bytes, AloneBytes: i.Alone, AloneExact: i.AloneExact, LayersExact: i.Listed.Exact,
		Containers: []api.StockContainer{},
		Verdict: api.PruneVerdict{
			Goes: i.Verdict.Goes, Rule: string(i.Verdict.Rule), Why: i.Verdict.Why, FreesBytes: i.Verdict.Frees,
			Drops: pinsOf(i.Verdict.Drops), Names: i.Verdict.Names,
		},
	}
	if i.UsedKnown {
		image.UsedAt = when(i.Used)
	}
	for _, c := range i.Listed.Containers {
		image.Containers = append(image.Containers, api.StockContainer{ID: c.ID, Name: c.Name, Running: c.Running, Ours: c.Ours, UsedAt: when(c.Used)})
	}
	return image
}

func pinsOf(pins []registry.Pin) []string {
	texts := make([]string, len(pins))
	for i, p := range pins {
		texts[i] = p.String()
	}
	return texts
}

func explanationOf(e warmer.Explanation, asked string) api.Explanation {
	answer := api.Explanation{Host: e.Host, Image: asked, Images: []api.StockImage{}, Absent: e.Absent, Log: []api.Occurrence{}}
	for _, i := range e.Images {
		answer.Images = append(answer.Images, stockImageOf(i))
	}
	for _, l := range e.Log {
		o := api.Occurrence{At: l.At, What: l.What}
		if !l.Pin.IsZero() {
			o.Pin = l.Pin.String()
		}
		answer.Log = append(answer.Log, o)
	}
	return answer
}
