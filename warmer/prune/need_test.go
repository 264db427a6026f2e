package prune

import "testing"

const hour = day / 24

// How much goes where space is needed.
func TestNeed(t *testing.T) {
	t.Parallel()
	need := func(bytes int64) Policy { return Policy{Need: bytes, Unmanaged: LeastRecently} }
	with := func(p Policy, change func(*Policy)) Policy {
		change(&p)
		return p
	}
	const kept = "k1 kept rank=1\nk2 kept rank=2\nk3 kept rank=3\n"
	table{
		{"what goes anyway may do", need(10), kept + "s superseded", "s superseded 10; k1 kept, k2 kept, k3 kept"},
		{"what goes anyway goes although less would do", need(1), "a superseded\nb superseded", "a superseded 10, b superseded 10; "},
		{"no more than is needed", need(15), kept, "k3 kept_for_rollback 10, k2 kept_for_rollback 10; k1 kept"},
		{"in the order", need(20), kept + "l names=x:1", "l least_recently_used 10, k3 kept_for_rollback 10; k1 kept, k2 kept"},
		{"not enough", need(100), kept, "k3 kept_for_rollback 10, k2 kept_for_rollback 10, k1 kept_for_rollback 10; "},
		{"not enough, and then nothing", with(need(100), func(p *Policy) { p.AllOrNothing = true }), kept + "s superseded\nl names=x:1", "s superseded 10; k1 kept, k2 kept, k3 kept, l no_need"},
		{
			"just enough", with(need(40), func(p *Policy) { p.AllOrNothing = true }), kept + "s superseded",
			"s superseded 10, k3 kept_for_rollback 10, k2 kept_for_rollback 10, k1 kept_for_rollback 10; ",
		},
		{"a layer is freed with the last that has it", need(100), "a kept rank=2 layers=base:100,a:1\nb kept rank=1 layers=base:100,b:1", "a kept_for_rollback 1, b kept_for_rollback 101; "},
		{"nothing goes in vain: its layers are all another's", need(10), "a wanted claim=current layers=base:100\nb kept rank=2 layers=base:100\nc kept rank=1", "c kept_for_rollback 10; a current, b kept"},
		{"nor where enough can't be had", need(50), "a wanted claim=current layers=base:100\nb kept rank=2 layers=base:100\nc kept rank=1", "c kept_for_rollback 10; a current, b kept"},
		{"a large one makes small ones needless", need(50), "a kept rank=3 layers=a:5\nb kept rank=2 layers=b:5\nc kept rank=1 layers=c:50", "c kept_for_rollback 50; a kept, b kept"},
		{"of which the dearer are given back first", need(55), "a kept rank=3 layers=a:5\nb kept rank=2 layers=b:5\nc kept rank=1 layers=c:50", "a kept_for_rollback 5, c kept_for_rollback 50; b kept"},
		{"a layer that one image has twice counts once", need(50), "a kept rank=2 layers=x:5,x:5\nb kept rank=1 layers=b:50", "b kept_for_rollback 50; a kept"},
		{"of a layer on whose size two images disagree the less is promised", need(1), "a superseded layers=x:10\nb superseded layers=x:7", "a superseded 0, b superseded 7; "},
		{"an image of which no layer is known frees nothing", need(10), "a kept rank=1 layers=\nb kept", "b kept_for_rollback 10; a kept"},
	}.run(t)
}

func TestShort(t *testing.T) {
	t.Parallel()
	inv := host(t, "a superseded\nb kept\nc wanted claim=current")
	for _, c := range []struct {
		policy       Policy
		frees, short int64
	}{
		{Policy{}, 10, 0},
		{Policy{Need: 10}, 10, 0},
		{Policy{Need: 15}, 20, 0},
		{Policy{Need: 25}, 20, 5},
		{Policy{Need: 25, AllOrNothing: true}, 10, 15},
		{Policy{Need: 20, MaxRemovals: 1}, 10, 10},
	} {
		if d := Decide(c.policy, inv); d.Frees != c.frees || d.Short != c.short {
			t.Errorf("%+v: frees %d and is short by %d, want %d and %d", c.policy, d.Frees, d.Short, c.frees, c.short)
		}
	}
}

func TestMaxRemovals(t *testing.T) {
	t.Parallel()
	two := Policy{MaxRemovals: 2}
	table{
		{"the last in the order stay", two, "n never_current\ns1 superseded used=1h\ns2 superseded used=2h", "n never_current 10, s2 superseded 10; s1 max_removals"},
		{"none is beyond it", two, "a superseded\nb superseded", "a superseded 10, b superseded 10; "},
		{"what is kept stays first", Policy{MaxRemovals: 1, Need: 20}, "s superseded\nk kept", "s superseded 10; k max_removals"},
		{
			"what is left is shared with what stays, and goes not in vain",
			Policy{MaxRemovals: 2, Need: 110},
			"a kept rank=3 layers=base:100\nb kept rank=2 layers=b:10\nc kept rank=1 layers=base:100", "b kept_for_rollback 10; a kept, c max_removals",
		},
		{"nothing for a pull that it does not let in", Policy{MaxRemovals: 2, Need: 30, AllOrNothing: true}, "s superseded\nk1 kept rank=1\nk2 kept rank=2", "s superseded 10; k1 kept, k2 kept"},
		{"and then what goes anyway goes up to it", Policy{MaxRemovals: 1, Need: 30, AllOrNothing: true, Unmanaged: LeastRecently}, "s superseded\nl names=x:1 layers=l:20", "s superseded 10; l no_need"},
	}.run(t)
}
