package prune

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/registry"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var (
	someRefs  = []string{"registry.test/a:1", "registry.test/a:2", "registry.test/b:1"}
	someNames = []string{"registry.test/a:1", "registry.test/c:1", "docker.io/library/node:22", "registry.test/a@sha256:" + hex64}
	someAges  = []time.Duration{0, hour, 2 * hour, day, 3 * day}
)

// atTimes draws something as often as one in n.
func atTimes(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == 1 }

// anyOf draws some of a list, each once.
func anyOf[T comparable](t *rapid.T, from []T, what string) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID[T]).Draw(t, what)
}

func anyRules(t *rapid.T) Rules {
	return Rules{
		MinAge:    rapid.SampledFrom(someAges).Draw(t, "min_age"),
		UnusedFor: rapid.SampledFrom([]time.Duration{0, 0, 0, 2 * hour, day}).Draw(t, "unused_for"),
		KeepMin:   rapid.IntRange(0, 2).Draw(t, "keep_min"),
	}
}

func anyPolicy(t *rapid.T) Policy {
	p := Policy{
		Rules:        anyRules(t),
		Unmanaged:    rapid.SampledFrom([]Unmanaged{KeepUnmanaged, DanglingOnly, LeastRecently, LeastRecently}).Draw(t, "unmanaged"),
		Need:         rapid.SampledFrom([]int64{0, 1, 20, 50, 100, 200}).Draw(t, "need"),
		AllOrNothing: rapid.Bool().Draw(t, "all_or_nothing"),
	}
	for _, text := range anyOf(t, []string{"registry.test/a", "registry.test/a:1", "**/b:*", "node", "registry.test/none", "registry.test/i0@sha256:6930*"}, "protect") {
		pattern, err := registry.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Protect = append(p.Protect, pattern)
	}
	if atTimes(t, 3, "capped") {
		p.MaxRemovals = rapid.IntRange(1, 5).Draw(t, "max_removals")
	}
	if atTimes(t, 8, "only") {
		p.OnlyImage = "jobs"
	}
	return p
}

// anyImage draws the n-th image of a host: near enough to others for ties and
// shared layers, and as often as not one that may go.
func anyImage(t *rapid.T, n int) Image {
	img := Image{ID: fmt.Sprint("i", n)}
	img.Seen = noon.Add(-rapid.SampledFrom(someAges).Draw(t, "age"))
	img.Used = noon.Add(-rapid.SampledFrom(someAges).Draw(t, "used"))
	for _, l := range anyOf(t, []string{"p", "q", "r"}, "shared") {
		img.Layers = append(img.Layers, Layer{l, 30})
	}
	if own := rapid.SampledFrom([]int64{0, 0, 5, 10, 40}).Draw(t, "own"); own > 0 {
		img.Layers = append(img.Layers, Layer{img.ID, own})
	}
	if atTimes(t, 8, "used by a container") {
		img.Containers = []string{"web"}
	}
	if atTimes(t, 3, "named") {
		img.Names = anyOf(t, someNames, "names")
		img.Tagged = slices.ContainsFunc(img.Names, func(n string) bool { return !strings.Contains(n, "@") })
	}
	for i := range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "pins") {
		pin := Pinned{
			Pin:      pinOf(img.ID + strings.Repeat("x", i)),
			Standing: rapid.SampledFrom([]Standing{Kept, Kept, Kept, Superseded, Superseded, NeverCurrent, Orphaned, Wanted, Unknown, "news"}).Draw(t, "standing"),
			Image:    rapid.SampledFrom([]string{"jobs", "jobs", "etl", ""}).Draw(t, "image"),
			Refs:     anyOf(t, someRefs, "refs"),
			Rank:     rapid.IntRange(0, 4).Draw(t, "rank"),
			Rules:    anyRules(t),
		}
		if atTimes(t, 6, "claimed") {
			pin.Claims = []Claim{{Rule: rapid.SampledFrom([]Rule{IsCurrent, IsComing, InScope, IsLeased, IsPulled}).Draw(t, "claim")}}
		}
		img.Pins = append(img.Pins, pin)
	}
	return img
}

func anyHost(t *rapid.T) Inventory {
	inv := Inventory{Now: noon}
	for n := range rapid.IntRange(0, 12).Draw(t, "images") {
		inv.Images = append(inv.Images, anyImage(t, n))
	}
	return inv
}

// isWhole tells whether nothing of an image stays.
func isWhole(v Verdict) bool { return v.Goes && len(v.Names) == len(v.Image.Names) }

// left is what stays of a host.
func left(inv Inventory, d Decision) Inventory {
	rest := Inventory{Now: inv.Now}
	for _, v := range d.Verdicts {
		if isWhole(v) {
			continue
		}
		if v.Goes {
			v.Image.Pins = nil
		}
		rest.Images = append(rest.Images, v.Image)
	}
	return rest
}

// taken is what the layers of images take, each once.
func taken(images []Image) int64 {
	seen, bytes := map[string]bool{}, int64(0)
	for _, img := range images {
		for _, l := range img.Layers {
			if !seen[l.ID] {
				seen[l.ID] = true
				bytes += l.Bytes
			}
		}
	}
	return bytes
}

// What Decide promises of any host.
func TestDecideHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, inv := anyPolicy(t), anyHost(t)
		d := Decide(p, inv)
		checkEachOnce(t, inv, d)
		for _, v := range d.Verdicts {
			if v.Goes {
				checkMayGo(t, p, v)
			}
		}
		checkBytes(t, p, inv, d)
		checkOrder(t, inv, d)
		checkCopies(t, p, inv, d)
		checkNeed(t, p, inv, d)
		checkAgain(t, p, inv, d)

		other := Inventory{Now: inv.Now, Images: rapid.Permutation(inv.Images).Draw(t, "permutation")}
		if diff := cmp.Diff(d, Decide(p, other), cmp.Comparer(func(a, b registry.Pin) bool { return a == b })); diff != "" {
			t.Fatalf("in another order (-first +second):\n%s", diff)
		}
	})
}

func checkEachOnce(t *rapid.T, inv Inventory, d Decision) {
	judged := map[string]bool{}
	for _, v := range d.Verdicts {
		if judged[v.Image.ID] || v.Why == "" || v.Rule == "" {
			t.Fatalf("verdict on %s is a second one, or without a reason", v.Image.ID)
		}
		judged[v.Image.ID] = true
		if !v.Goes && (v.Frees != 0 || v.Drops != nil || v.Names != nil) {
			t.Fatalf("%s stays, and something of it goes", v.Image.ID)
		}
	}
	if len(judged) != len(inv.Images) {
		t.Fatalf("%d verdicts on %d images", len(judged), len(inv.Images))
	}
}

// checkMayGo checks that nothing forbids a removal.
func checkMayGo(t *rapid.T, p Policy, v Verdict) {
	img := v.Image
	used := img.Used
	if img.Seen.After(used) {
		used = img.Seen
	}
	allows := func(r Rules) bool {
		return noon.Sub(img.Seen) >= r.MinAge && noon.Sub(used) >= r.UnusedFor
	}
	bad := len(img.Containers) > 0
	for _, pin := range img.Pins {
		rules := pin.Rules
		if pin.Image == "" {
			rules = p.Rules
		}
		bad = bad || len(pin.Claims) > 0 || !slices.Contains([]Standing{Kept, Superseded, NeverCurrent, Orphaned}, pin.Standing) || !allows(rules) ||
			pin.Standing == Kept && (pin.Rank < rules.KeepMin || p.Need == 0) ||
			p.OnlyImage != "" && pin.Image != p.OnlyImage || !slices.Contains(v.Drops, pin.Pin)
	}
	for _, name := range img.Names {
		bad = bad || slices.ContainsFunc(p.Protect, func(p registry.Pattern) bool { return p.Match(name) })
	}
	if len(img.Pins) == 0 || len(v.Names) > 0 {
		bad = bad || !allows(p.Rules) || p.OnlyImage != "" || p.Unmanaged == KeepUnmanaged || p.Unmanaged == DanglingOnly && img.Tagged ||
			img.Tagged && p.Need == 0 && p.Rules.UnusedFor == 0
	}
	if bad || len(v.Drops) != len(img.Pins) || len(v.Names) > 0 && !isWhole(v) {
		t.Fatalf("%s goes: %s", img.ID, v.Why)
	}
}

// checkBytes checks that each removal frees, in its turn, the layers that no
// image has any more.
func checkBytes(t *rapid.T, p Policy, inv Inventory, d Decision) {
	images, sum := slices.Clone(inv.Images), int64(0)
	for _, v := range d.Verdicts {
		before := taken(images)
		if isWhole(v) {
			images = slices.DeleteFunc(images, func(img Image) bool { return img.ID == v.Image.ID })
		}
		if freed := before - taken(images); v.Frees != freed {
			t.Fatalf("%s frees %d, and is said to free %d", v.Image.ID, freed, v.Frees)
		}
		sum += v.Frees
	}
	if d.Frees != sum || d.Short != max(0, p.Need-sum) {
		t.Fatalf("frees %d of %d needed, and is said to free %d and be short by %d", sum, p.Need, d.Frees, d.Short)
	}
}

// checkOrder checks that what goes first is worth least.
func checkOrder(t *rapid.T, inv Inventory, d Decision) {
	place := map[Rule]int{GoNeverCurrent: 0, GoDangling: 1, GoUnused: 2, GoSuperseded: 3, GoOrphaned: 3, GoKept: 4}
	rank := func(v Verdict) int {
		least := math.MaxInt
		for _, pin := range v.Image.Pins {
			if pin.Standing == Kept {
				least = min(least, pin.Rank)
			}
		}
		return least
	}
	for i, v := range d.Verdicts {
		if i == 0 {
			continue
		}
		before := d.Verdicts[i-1]
		used, usedBefore := (&pass{inv: inv}).lastUse(&v.Image), (&pass{inv: inv}).lastUse(&before.Image)
		var bad bool
		switch {
		case !v.Goes && !before.Goes:
			bad = strength[v.Rule] < strength[before.Rule]
		case v.Goes != before.Goes:
			bad = v.Goes
		case place[v.Rule] != place[before.Rule]:
			bad = place[v.Rule] < place[before.Rule]
		case v.Rule == GoKept && rank(v) != rank(before):
			bad = rank(v) > rank(before)
		default:
			bad = used.Before(usedBefore) || used.Equal(usedBefore) && v.Image.ID < before.Image.ID
		}
		if bad {
			t.Fatalf("%s (%s) comes after %s (%s)", v.Image.ID, v.Rule, before.Image.ID, before.Rule)
		}
	}
}

// checkCopies checks that of each protected tag a digest stays.
func checkCopies(t *rapid.T, p Policy, inv Inventory, d Decision) {
	refs := func(images []Image) map[string]bool {
		all := map[string]bool{}
		for _, img := range images {
			for _, pin := range img.Pins {
				for _, ref := range pin.Refs {
					if slices.ContainsFunc(p.Protect, func(p registry.Pattern) bool { return p.Match(ref) }) {
						all[ref] = true
					}
				}
			}
		}
		return all
	}
	if diff := cmp.Diff(refs(inv.Images), refs(left(inv, d).Images)); diff != "" {
		t.Fatalf("the last copy of a protected tag goes (-before +after):\n%s", diff)
	}
}

// checkNeed checks that what goes for want of space is enough, if there is
// enough, and not more than that.
func checkNeed(t *rapid.T, p Policy, inv Inventory, d Decision) {
	with := func(need int64) Decision {
		q := p
		q.Need, q.AllOrNothing, q.MaxRemovals = need, false, 0
		return Decide(q, inv)
	}
	without, most := with(0), with(math.MaxInt64)
	if p.MaxRemovals == 0 && most.Frees >= p.Need && d.Short > 0 {
		t.Fatalf("is short by %d, and %d can be freed", d.Short, most.Frees)
	}
	anyway := map[string]bool{}
	for _, v := range without.Verdicts {
		anyway[v.Image.ID] = isWhole(v)
	}
	total := taken(inv.Images)
	for _, v := range d.Verdicts {
		if !isWhole(v) || anyway[v.Image.ID] {
			continue
		}
		if p.AllOrNothing && d.Short > 0 {
			t.Fatalf("%s goes for want of space, in vain", v.Image.ID)
		}
		if freed := total - taken(append(left(inv, d).Images, v.Image)); freed >= min(p.Need, d.Frees) {
			t.Fatalf("%s goes for want of space, and %d would be freed without it", v.Image.ID, freed)
		}
		// Nor does it go while cheaper ones would have done.
		if p.MaxRemovals == 0 {
			cheaper := slices.Clone(inv.Images)
			for _, w := range most.Verdicts {
				isCheaper := anyway[w.Image.ID] || slices.IndexFunc(most.Verdicts, func(x Verdict) bool { return x.Image.ID == w.Image.ID }) <
					slices.IndexFunc(most.Verdicts, func(x Verdict) bool { return x.Image.ID == v.Image.ID })
				if isWhole(w) && isCheaper {
					cheaper = slices.DeleteFunc(cheaper, func(img Image) bool { return img.ID == w.Image.ID })
				}
			}
			if freed := total - taken(cheaper); freed >= p.Need {
				t.Fatalf("%s goes for want of space, and cheaper ones would have freed %d", v.Image.ID, freed)
			}
		}
	}
	if p.MaxRemovals > 0 && slices.IndexFunc(d.Verdicts, func(v Verdict) bool { return !v.Goes }) > p.MaxRemovals {
		t.Fatalf("more than %d go", p.MaxRemovals)
	}
}

// checkAgain checks that a second pass over what is left finds nothing to do.
func checkAgain(t *rapid.T, p Policy, inv Inventory, d Decision) {
	if p.MaxRemovals > 0 {
		return
	}
	p.Need = d.Short
	for _, v := range Decide(p, left(inv, d)).Verdicts {
		if v.Goes {
			t.Fatalf("a second pass removes %s: %s", v.Image.ID, v.Why)
		}
	}
}
