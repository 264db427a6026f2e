//go:build e2e

package docker

import (
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func TestRealStock(t *testing.T) { stockIsTrue(t, options(shared.fleet.Hosts[0].Socket), classic) }

// stockIsTrue holds what List says against what the engine says elsewhere, and
// shows how the engine itself refuses.
func stockIsTrue(t *testing.T, o Options, store string) {
	t.Helper()
	h := newHost(t, o)
	clearEngine(t, h)
	for _, pin := range shared.pins() {
		if _, err := h.Keep(t.Context(), pin, nil); err != nil {
			t.Fatal(err)
		}
	}
	all, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	layers := map[string]int64{}
	for _, l := range all {
		t.Logf("%+v", l)
		tellSizes(t, h, l)
		for _, layer := range l.Layers {
			layers[layer.ID] = layer.Bytes
		}
		if store == classic && !l.Exact {
			t.Errorf("the sizes of %s are a guess", l.ID)
		}
	}
	var sum int64
	for _, bytes := range layers {
		sum += bytes
	}
	used := layersSize(t, h)
	t.Logf("all layers have %d bytes, the engine says %d", sum, used)
	if store == classic && sum != used {
		t.Errorf("all layers have %d bytes, the engine says %d", sum, used)
	}
	freesWhatItTakes(t, h, store)
	refusesItself(t, h)
}

// layersSize is what the engine says of all layers.
func layersSize(t *testing.T, h *Host) int64 {
	t.Helper()
	used, err := engineAPI(t, h).DiskUsage(t.Context(), types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ImageObject}})
	if err != nil {
		t.Fatal(err)
	}
	return used.LayersSize
}

// freesWhatItTakes removes the image with a layer of its own, and puts it back.
func freesWhatItTakes(t *testing.T, h *Host, store string) {
	t.Helper()
	ctx, pin := t.Context(), shared.good
	kept, err := h.Keep(ctx, pin, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := h.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	one := all[slices.IndexFunc(all, func(l warmer.Listed) bool { return l.ID == kept.ID })]
	top := one.Layers[len(one.Layers)-1].Bytes
	before := layersSize(t, h)
	begin := time.Now()
	done, err := h.RemoveImage(ctx, warmer.Removal{ID: kept.ID, Pins: []registry.Pin{pin}, Whole: true})
	took, freed := time.Since(begin), before-layersSize(t, h)
	if err != nil || !done.Gone {
		t.Fatalf("RemoveImage = %+v, %v; want it gone", done, err)
	}
	t.Logf("removed in %s: %d bytes are free, its own layer was said to have %d, unique to be %d", took, freed, top, one.Unique)
	if store == classic && freed != top {
		t.Errorf("%d bytes are free, want %d", freed, top)
	}
	if _, err := h.Keep(ctx, pin, nil); err != nil {
		t.Fatal(err)
	}
}

// tellSizes logs what an engine says of an image's size in its three ways.
func tellSizes(t *testing.T, h *Host, l warmer.Listed) {
	t.Helper()
	api := engineAPI(t, h)
	seen, err := api.ImageInspect(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := api.ImageHistory(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	var history []int64
	for _, s := range steps {
		history = append(history, s.Size)
	}
	list, err := api.ImageList(t.Context(), image.ListOptions{SharedSize: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == l.ID {
			t.Logf("%s: inspect %d, list %d (shared %d), history %v, tags %q, digests %q", l.ID, seen.Size, s.Size, s.SharedSize, history, s.RepoTags, s.RepoDigests)
		}
	}
}

// refusesItself: a container that is made after we looked meets the engine's own
// refusal.
func refusesItself(t *testing.T, h *Host) {
	t.Helper()
	ctx, pin, theirs := t.Context(), shared.good, others{engineAPI(t, h)}
	if err := theirs.Create(ctx, "late", pin.String()); err != nil {
		t.Fatal(err)
	}
	err := h.rmi(ctx, tagged(pin, keepTag(pin)))
	t.Log("the only tag →", err)
	wantCode(t, "the only tag of a used image", err, problem.ImageInUse)
	if err := theirs.Tag(ctx, pin, "second"); err != nil {
		t.Fatal(err)
	}
	err = h.rmi(ctx, tagged(pin, "second"))
	t.Log("one of two tags →", err)
	names, err := theirs.Names(ctx)
	t.Log("names", names, err)
	if err := theirs.Discard(ctx, "late"); err != nil {
		t.Fatal(err)
	}
}
