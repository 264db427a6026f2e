package dockertest

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func mirrorTests() []contractTest {
	return []contractTest{
		{"MirrorServes", mirrorServes},
		{"MirrorLacksTheDigest", mirrorLacks},
		{"MirrorNameOfOthersStays", mirrorNameStays},
		{"MirrorTagOfOthersStays", mirrorTagStays},
	}
}

// mirrored is Good as its mirror has it.
func (b *bench) mirrored() registry.Pin { return registry.NewPin(b.Mirror, b.Good.Digest()) }

// keepMirrored makes a pin warm through the mirror, and gives the copy and all
// progress.
func (b *bench) keepMirrored(pin registry.Pin) (warmer.Copy, []warmer.Progress) {
	b.Helper()
	var seen []warmer.Progress
	c, err := b.Mirrored().Keep(b.ctx, pin, func(p warmer.Progress) { seen = append(seen, p) })
	if err != nil {
		b.Fatalf("Keep(%s): %v", pin, err)
	}
	return c, seen
}

// wantNames checks that the engine has these names, and no others but our
// keep-tag.
func (b *bench) wantNames(want ...string) {
	b.Helper()
	names, err := b.Others.Names(b.ctx)
	if err != nil {
		b.Fatalf("list names: %v", err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		b.Errorf("names on the engine (-want +got):\n%s", diff)
	}
}

// keptNames are the names of a pin that is warm.
func keptNames(pin registry.Pin) []string {
	return []string{pin.String(), pin.Repository().String() + ":" + keepTag(pin)}
}

// wantProgress checks that progress only grows and ends with all layers done.
func (b *bench) wantProgress(seen []warmer.Progress) {
	b.Helper()
	if len(seen) == 0 {
		b.Fatal("no progress was told")
	}
	for i, p := range seen {
		if p.At.IsZero() || (i > 0 && (p.Bytes < seen[i-1].Bytes || p.LayersDone < seen[i-1].LayersDone)) {
			b.Errorf("progress %d went back or has no time: %+v", i, p)
		}
	}
	if last := seen[len(seen)-1]; last.Layers == 0 || last.LayersDone != last.Layers {
		b.Errorf("the last progress is %+v: want all layers done", last)
	}
}

// mirrorServes: what came from the mirror is pinned as if it came from the
// origin, and of the mirror's name nothing is left.
func mirrorServes(b *bench) {
	kept, seen := b.keepMirrored(b.Good)
	if !kept.Kept || len(kept.Tags) != 0 {
		b.Errorf("Keep gave %+v: want it kept, without tags", kept)
	}
	b.wantCopy("a pull through the mirror", b.Good, kept)
	b.wantNames(keptNames(b.Good)...)
	b.wantProgress(seen)
	b.prune()
	b.wantCopy("docker image prune", b.Good, kept)
}

func mirrorLacks(b *bench) {
	kept, seen := b.keepMirrored(b.Second)
	b.wantCopy("a pull that the mirror could not serve", b.Second, kept)
	b.wantNames(keptNames(b.Second)...)
	b.wantProgress(seen)
}

// mirrorNameStays: someone else has the mirror's name already. It is theirs.
func mirrorNameStays(b *bench) {
	if err := b.Others.Pull(b.ctx, b.mirrored()); err != nil {
		b.Fatalf("pull: %v", err)
	}
	kept, _ := b.keepMirrored(b.Good)
	b.wantCopy("a pull through the mirror", b.Good, kept)
	b.wantNames(append(keptNames(b.Good), b.mirrored().String())...)
}

func mirrorTagStays(b *bench) {
	if err := b.Others.Pull(b.ctx, b.mirrored()); err != nil {
		b.Fatalf("pull: %v", err)
	}
	ref := b.tag(b.mirrored(), "theirs")
	kept, _ := b.keepMirrored(b.Good)
	b.wantCopy("a pull through the mirror", b.Good, kept)
	b.wantNames(append(keptNames(b.Good), b.mirrored().String(), ref.String())...)
}
