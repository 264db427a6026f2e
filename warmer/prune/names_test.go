package prune

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/registry"
)

// What becomes of images of ours that others gave names, too: "-" is one of
// which our keep-tag goes and the names stay.
func TestNamesOfOthers(t *testing.T) {
	t.Parallel()
	lru := Policy{Unmanaged: LeastRecently}
	const tagged = "a superseded names=x:1"
	with := func(p Policy, change func(*Policy)) Policy {
		change(&p)
		return p
	}
	table{
		{"they stay", Policy{}, tagged, "a superseded -; "},
		{"and its layers with them", Policy{Need: 10}, tagged + " layers=base:10\nb superseded layers=base:10", "a superseded -, b superseded 0; "},
		{"where only dangling ones go", Policy{Unmanaged: DanglingOnly}, tagged, "a superseded -; "},
		{"a digest is no tag", Policy{Unmanaged: DanglingOnly}, "a superseded names=x@d", "a superseded 10; "},
		{"they go where space is needed", with(lru, func(p *Policy) { p.Need = 10 }), tagged, "a superseded 10; "},
		{"and else stay", lru, tagged, "a superseded -; "},
		{"where space is needed, and another does", with(lru, func(p *Policy) { p.Need = 10 }), tagged + "\nb names=x:2", "b least_recently_used 10, a superseded -; "},
		{
			"with one that never was current they go as the names do", with(lru, func(p *Policy) { p.Need = 20 }), "a never_current names=x:1\nb names=x:2 used=3d\nc never_current",
			"c never_current 10, a least_recently_used 10; b no_need",
		},
		{"they go when unused", with(lru, func(p *Policy) { p.Rules.UnusedFor = day }), tagged, "a superseded 10; "},
		{"by the policy's rules: used", with(lru, func(p *Policy) { p.Rules.UnusedFor = 3 * day; p.Need = 10 }), tagged, "a superseded -; "},
		{"by the policy's rules: young", with(lru, func(p *Policy) { p.Rules.MinAge = 3 * day; p.Need = 10 }), tagged, "a superseded -; "},
		{"a kept one does not go to free nothing", Policy{Need: 10}, "a kept names=x:1", "; a kept"},
		{"a kept one goes with its names", with(lru, func(p *Policy) { p.Need = 10 }), "a kept names=x:1", "a kept_for_rollback 10; "},
		{"a pass about an image is about no names", with(lru, func(p *Policy) { p.Need = 10; p.OnlyImage = "jobs" }), tagged, "a superseded -; "},
	}.run(t)
}

// Decision tells which names go: ours, and the others' only where all go.
func TestDropsAndNames(t *testing.T) {
	t.Parallel()
	inv := host(t, "a superseded superseded names=x:1,y:1\nb names=x:2,x:3\nc wanted claim=current names=x:4")
	inv.Images[0].Pins = append(inv.Images[0].Pins, inv.Images[0].Pins[0]) // two images with one digest
	type going struct {
		Drops []registry.Pin
		Names []string
	}
	for name, c := range map[string]struct {
		policy Policy
		want   map[string]going
	}{
		"names stay": {Policy{}, map[string]going{"a": {Drops: []registry.Pin{pinOf("a"), pinOf("a2")}}}},
		"names go": {Policy{Unmanaged: LeastRecently, Need: 20}, map[string]going{
			"a": {Drops: []registry.Pin{pinOf("a"), pinOf("a2")}, Names: []string{"x:1", "y:1"}},
			"b": {Names: []string{"x:2", "x:3"}},
		}},
	} {
		got := map[string]going{}
		for _, v := range Decide(c.policy, inv).Verdicts {
			if v.Goes {
				got[v.Image.ID] = going{v.Drops, v.Names}
			} else if v.Drops != nil || v.Names != nil || v.Frees != 0 {
				t.Errorf("%s: %s stays, and something of it goes", name, v.Image.ID)
			}
		}
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b registry.Pin) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
