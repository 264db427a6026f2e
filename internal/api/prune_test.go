package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

func (d *domain) Prune(_ context.Context, ask warmer.PruneAsk) ([]warmer.Pass, error) {
	d.prune = ask
	return []warmer.Pass{{ID: "1", Host: odd, DryRun: ask.DryRun}}, nil
}

func (d *domain) Passes(_ context.Context, host string, limit int) ([]warmer.Pass, error) {
	d.acts = append(d.acts, fmt.Sprintf("passes %q %d", host, limit))
	return []warmer.Pass{{ID: "1", Host: odd, Stopped: "so"}}, nil
}

func (d *domain) Stock(_ context.Context, host string) (warmer.Stock, error) {
	return warmer.Stock{Host: odd, Images: []warmer.StockImage{{Alone: 7}}}, d.know(host, problem.HostNotManaged)
}

func (d *domain) Explain(_ context.Context, host, image string) (warmer.Explanation, error) {
	return warmer.Explanation{Host: host, Absent: "not " + image}, d.know(host, problem.HostNotManaged)
}

func TestEveryPruneCall(t *testing.T) {
	t.Parallel()
	d := &domain{}
	c, ctx := ours(t, d), t.Context()
	r := api.PruneRequest{Hosts: []string{"a", odd}, Image: odd, FreeBytes: 7, By: "ada"}
	for _, dry := range []bool{true, false} {
		all, err := c.Prune(ctx, r, dry)
		if err != nil || len(all.Passes) != 1 || all.Passes[0].Host != odd || all.Passes[0].DryRun != dry {
			t.Errorf("prune: %+v %v", all, err)
		}
		if want := (warmer.PruneAsk{Hosts: []string{"a", odd}, Image: odd, Free: 7, DryRun: dry, Who: "ada"}); !cmp.Equal(want, d.prune) {
			t.Errorf("prune: asked %+v", d.prune)
		}
	}
	if all, err := c.Prunes(ctx, odd, 3); err != nil || all.Passes[0].Stopped != "so" {
		t.Errorf("prunes: %+v %v", all, err)
	}
	if _, err := c.Prunes(ctx, "", 1000); err != nil {
		t.Errorf("prunes: %v", err)
	}
	if want := []string{fmt.Sprintf("passes %q 3", odd), `passes "" 1000`}; !slices.Equal(want, d.acts) {
		t.Errorf("prunes: asked %q", d.acts)
	}
	if s, err := c.Stock(ctx, odd); err != nil || s.Host != odd || s.Images[0].AloneBytes != 7 {
		t.Errorf("stock: %+v %v", s, err)
	}
	if e, err := c.Explain(ctx, odd, "r@sha256:1"); err != nil || e.Host != odd || e.Image != "r@sha256:1" || e.Absent != "not r@sha256:1" {
		t.Errorf("explain: %+v %v", e, err)
	}
	_, err := c.Stock(ctx, "nope")
	expectCode(t, err, problem.HostNotManaged)
	_, err = c.Explain(ctx, "nope", odd)
	expectCode(t, err, problem.HostNotManaged)
}
