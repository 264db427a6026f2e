package dockertest

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func imageTests() []contractTest {
	return []contractTest{
		{"ProbeTellsWhoAnswers", probeTells},
		{"ColdPinIsNoCopy", coldPin},
		{"KeepPullsAndKeeps", keepPulls},
		{"KeepAdopts", keepAdopts},
		{"SharedLayersAreDone", sharedLayers},
		{"MissingDigest", missingDigest},
		{"OtherPlatform", otherPlatform},
		{"CancelledKeepStops", cancelledKeep},
	}
}

func probeTells(b *bench) {
	first, err := b.Engine.Probe(b.ctx)
	if err != nil {
		b.Fatalf("Probe: %v", err)
	}
	switch {
	case first.Marker == "", first.MarkerHost == "":
		b.Errorf("no marker: %+v", first)
	case first.Version == "", first.APIVersion == "":
		b.Errorf("no version: %+v", first)
	case first.ImageStore != "classic" && first.ImageStore != "containerd":
		b.Errorf("image store %q", first.ImageStore)
	case first.Platform.OS != "linux" || first.Platform.Architecture == "x86_64":
		b.Errorf("platform %q is not in the words of OCI", first.Platform)
	case first.CPUs < 1 || first.Memory < 1<<20:
		b.Errorf("no resources: %+v", first)
	}
	again, err := b.Engine.Probe(b.ctx)
	if err != nil {
		b.Fatalf("Probe again: %v", err)
	}
	if d := first.Disk; d.Free < 0 || d.Free > d.Total {
		b.Errorf("disk %+v: no such one", d)
	}
	// Engines under test run on this machine, by its clock.
	if first.ClockOffset.Abs() > time.Minute {
		b.Errorf("the clock is off by %s", first.ClockOffset)
	}
	changing := cmpopts.IgnoreFields(warmer.Engine{}, "Disk", "ClockOffset")
	if diff := cmp.Diff(first, again, changing); diff != "" {
		b.Errorf("a second probe differs (-first +second):\n%s", diff)
	}
}

func coldPin(b *bench) {
	for _, pin := range []registry.Pin{b.Good, b.Missing} {
		c, ok, err := b.Engine.Inspect(b.ctx, pin)
		if ok || err != nil || !cmp.Equal(c, warmer.Copy{}) {
			b.Errorf("Inspect(%s) = %+v, %v, %v; want nothing", pin, c, ok, err)
		}
	}
}

func keepPulls(b *bench) {
	var seen []warmer.Progress
	kept, err := b.Engine.Keep(b.ctx, b.Good, func(p warmer.Progress) { seen = append(seen, p) })
	if err != nil {
		b.Fatalf("Keep: %v", err)
	}
	if !kept.Kept || kept.ID == "" || kept.Bytes <= 0 || kept.Platform.IsZero() {
		b.Errorf("Keep gave %+v: want it kept, with id, platform and size", kept)
	}
	got, ok, err := b.Engine.Inspect(b.ctx, b.Good)
	if err != nil || !ok {
		b.Fatalf("Inspect after Keep: %v, %v", ok, err)
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		b.Errorf("Inspect differs from Keep (-kept +inspected):\n%s", diff)
	}
	b.wantProgress(seen)
}

func keepAdopts(b *bench) {
	first := b.keep(b.Good)
	again, err := b.Engine.Keep(b.ctx, b.Good, func(p warmer.Progress) { b.Errorf("progress of what is there: %+v", p) })
	if err != nil {
		b.Fatalf("Keep again: %v", err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		b.Errorf("a second Keep differs (-first +second):\n%s", diff)
	}
}

func sharedLayers(b *bench) {
	b.keep(b.Good)
	var last warmer.Progress
	if _, err := b.Engine.Keep(b.ctx, b.Second, func(p warmer.Progress) { last = p }); err != nil {
		b.Fatalf("Keep: %v", err)
	}
	if last.Layers == 0 || last.LayersDone != last.Layers {
		b.Errorf("the last progress is %+v: want all layers done, the shared ones too", last)
	}
}

func missingDigest(b *bench) {
	_, err := b.Engine.Keep(b.ctx, b.Missing, func(warmer.Progress) {})
	b.wantCode("Keep of a digest that is gone", err, problem.TagNotFound)
	if _, ok, err := b.Engine.Inspect(b.ctx, b.Missing); ok || err != nil {
		b.Errorf("Inspect = %v, %v; want nothing", ok, err)
	}
}

func otherPlatform(b *bench) {
	for _, try := range []string{"first", "second"} {
		_, err := b.Engine.Keep(b.ctx, b.Elsewhere, func(warmer.Progress) {})
		b.wantCode(try+" Keep of an image for another platform", err, problem.PlatformMissing)
	}
	if _, ok, err := b.Engine.Inspect(b.ctx, b.Elsewhere); ok || err != nil {
		b.Errorf("Inspect = %v, %v; an image for another platform is no copy", ok, err)
	}
}

func cancelledKeep(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	_, err := b.Engine.Keep(ctx, b.Good, func(warmer.Progress) { cancel() })
	b.wantCancelled("Keep", err)
	if c, _, err := b.Engine.Inspect(b.ctx, b.Good); err != nil || c.Kept {
		b.Errorf("Inspect = %+v, %v; want nothing kept", c, err)
	}
	if c := b.keep(b.Good); !c.Kept {
		b.Errorf("Keep after a cancelled one gave %+v", c)
	}
}
