package prune

import "testing"

// What goes anyway, and in which order things go.
func TestOrder(t *testing.T) {
	t.Parallel()
	const all = `
		k1 kept rank=1 used=9d
		k3 kept rank=3 used=1d
		k2 kept rank=2 used=9d
		s1 superseded used=25h
		o1 orphaned used=26h
		l1 names=x:1 used=5h
		l2 names=x:2 used=6h
		d1 used=2h
		n1 never_current used=1h
		n2 never_current used=3h`
	table{
		{
			"without pressure",
			Policy{Unmanaged: LeastRecently},
			all,
			"n2 never_current 10, n1 never_current 10, d1 dangling 10, o1 orphaned 10, s1 superseded 10; k1 kept, k2 kept, k3 kept, l1 no_need, l2 no_need",
		},
		{
			"what is unused long enough goes without it",
			Policy{Unmanaged: LeastRecently, Rules: Rules{UnusedFor: 6 * hour}},
			"a names=x:1 used=5h\nb names=x:2 used=6h",
			"b least_recently_used 10; a unused_for",
		},
		{"dangling ones go without it", Policy{Unmanaged: DanglingOnly}, "a\nb names=x:1", "a dangling 10; b unmanaged"},
		{
			"under pressure",
			Policy{Unmanaged: LeastRecently, Need: 1000},
			all,
			"n2 never_current 10, n1 never_current 10, d1 dangling 10, l2 least_recently_used 10, l1 least_recently_used 10, " +
				"o1 orphaned 10, s1 superseded 10, k3 kept_for_rollback 10, k2 kept_for_rollback 10, k1 kept_for_rollback 10; ",
		},
		{"of equals by id", Policy{}, "b superseded\na superseded\nc superseded", "a superseded 10, b superseded 10, c superseded 10; "},
		{"kept ones of one rank by use", Policy{Need: 1000}, "a kept rank=1 used=1h\nb kept rank=1 used=2h", "b kept_for_rollback 10, a kept_for_rollback 10; "},
		{
			"the dearest of several digests counts",
			Policy{Need: 1000},
			"a never_current superseded used=9d\nb kept rank=5 kept rank=1 used=9d\nc kept rank=2\nd superseded never_current used=8d",
			"a superseded 10, d superseded 10, c kept_for_rollback 10, b kept_for_rollback 10; ",
		},
		{"superseded for one and orphaned of another", Policy{}, "a orphaned image=none superseded\nb superseded orphaned image=none", "a superseded 10, b superseded 10; "},
		{
			"those that stay by the strength of the reason, then by id",
			Policy{},
			"z wanted claim=current\na names=x:1\nc kept\nb kept\ny in=web",
			"; z current, y in_use, a unmanaged, b kept, c kept",
		},
	}.run(t)
}
