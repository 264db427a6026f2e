package selection

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyTag draws from what repositories have, close enough together for ties.
func anyTag() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`v?[0-2]\.[0-3](\.[0-3])?(-(alpine|rc\.?[0-2]|rc\.?[0-2]-alpine))?`),
		rapid.StringMatching(`0{0,2}[0-9]{1,2}`),
		rapid.StringMatching(`202[45][.-]0?[1-3][.-]0?[1-3]`),
		rapid.StringMatching(`main-[0-9]{1,2}-[0-9a-f]{7}`),
		rapid.SampledFrom([]string{"latest", "main", "1", "1234567", signature, signature + ".sig", signature + ".att", keepTag, "1.0.0_b1", "1.0.0_b2"}),
	)
}

func anySpec() *rapid.Generator[Spec] {
	return rapid.Custom(func(t *rapid.T) Spec {
		o := Options{
			Include:   rapid.SampledFrom([]string{"", ".", `^\d`, `^v?(\d.*?)(-alpine)?$`, "-alpine$", "sha256|prewarm|^1"}).Draw(t, "include"),
			Exclude:   rapid.SampledFrom([]string{"", "-rc", "^2"}).Draw(t, "exclude"),
			Order:     rapid.SampledFrom([]string{"semver", "numeric", "alpha"}).Draw(t, "order"),
			Newest:    rapid.IntRange(1, 4).Draw(t, "newest"),
			Downgrade: rapid.Bool().Draw(t, "downgrade"),
		}
		if strings.Contains(o.Include, "(") && rapid.Bool().Draw(t, "extracts") {
			o.Extract = "$1"
		}
		if o.Order == "semver" {
			o.Range = rapid.SampledFrom([]string{"", ">=1", "<2", ">=0.1-0", "~1.2 || ^2"}).Draw(t, "range")
		}
		spec, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		return spec
	})
}

func shuffled(list []string, seed uint64) []string {
	list = slices.Clone(list)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// newer tells whether a is before b among all tags that the spec can compare.
func newer(spec Spec, a, b string) bool {
	x, whyX := spec.judge(a)
	y, whyY := spec.judge(b)
	if whyX != "" || whyY != "" {
		return false
	}
	if c := x.key.compare(y.key); c != 0 {
		return c > 0
	}
	return a > b
}

// What Select promises, over tags that come and go.
func TestSelectHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec, tags := anySpec().Draw(t, "spec"), rapid.SliceOfN(anyTag(), 0, 12)
		var before []string
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			listed := tags.Draw(t, "tags")
			got := spec.Select(listed, before)
			checkResult(t, spec, got, listed, before)

			seed := rapid.Uint64().Draw(t, "seed")
			if diff := cmp.Diff(got, spec.Select(shuffled(append(listed, listed...), seed), shuffled(before, seed))); diff != "" {
				t.Fatalf("in another order (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(got.Chosen, spec.Select(listed, got.Chosen).Chosen); diff != "" {
				t.Fatalf("the same tags again (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(got.Chosen, spec.Select(nil, got.Chosen).Chosen); diff != "" {
				t.Fatalf("no tags (-first +second):\n%s", diff)
			}
			before = got.Chosen
		}
	})
}

// checkResult checks one result; before is what the same spec chose.
func checkResult(t *rapid.T, spec Spec, got Result, listed, before []string) {
	union := map[string]bool{}
	for _, tag := range slices.Concat(listed, before) {
		union[tag] = true
	}
	if len(got.Chosen) > spec.Options().Newest {
		t.Fatalf("chose %q, at most %d wanted", got.Chosen, spec.Options().Newest)
	}
	judged, taken := map[string]bool{}, []string(nil)
	for _, v := range got.Verdicts {
		if judged[v.Tag] || v.Reason == "" {
			t.Fatalf("verdict %+v is a second one, or without a reason", v)
		}
		judged[v.Tag] = true
		if v.Taken {
			taken = append(taken, v.Tag)
		}
	}
	if !maps.Equal(judged, union) || !slices.Equal(taken, got.Chosen) {
		t.Fatalf("verdicts on %v with %v taken, want %v and %v", judged, taken, union, got.Chosen)
	}
	for i, tag := range got.Chosen {
		if strings.HasPrefix(tag, "sha256-") || strings.HasPrefix(tag, "prewarm-") {
			t.Fatalf("chose %s", tag)
		}
		if i > 0 && !newer(spec, got.Chosen[i-1], tag) {
			t.Fatalf("chose %q: not newest first", got.Chosen)
		}
	}
	if spec.Options().Downgrade {
		return
	}
	for i, tag := range before {
		if i >= len(got.Chosen) || newer(spec, tag, got.Chosen[i]) {
			t.Fatalf("chose %q after %q: older", got.Chosen, before)
		}
	}
	if old := oldestOf(got); old != "" {
		for _, v := range got.Verdicts {
			if !v.Taken && strings.HasPrefix(v.Reason, "is older") && newer(spec, v.Tag, old) {
				t.Fatalf("passed %s over as older, and took %s", v.Tag, old)
			}
		}
	}
}

func oldestOf(r Result) string {
	if len(r.Chosen) == 0 {
		return ""
	}
	return r.Chosen[len(r.Chosen)-1]
}

func FuzzSelect(f *testing.F) {
	f.Add(`^(\d+\.\d+\.\d+)-alpine$`, "", "$1", "semver", ">=1.2 <2", 3, false, "1.2.0-alpine 1.3.0-alpine latest", "1.4.0-alpine")
	f.Add("", "-rc", "", "numeric", "", 1, true, "2024.01.05 007 99999999999999999999", "8")
	f.Add("(", "[", "$x", "", ">=1.2-0 || 3", -1, false, signature+" "+keepTag, "")
	f.Fuzz(func(t *testing.T, include, exclude, extract, order, limits string, newest int, downgrade bool, tags, before string) {
		spec, err := New(Options{include, exclude, extract, order, limits, newest, downgrade})
		if err != nil {
			if !spec.IsZero() {
				t.Fatalf("refused, yet a spec: %v", err)
			}
			return
		}
		listed, earlier := strings.Fields(tags), strings.Fields(before)
		got := spec.Select(listed, earlier)
		if diff := cmp.Diff(got, spec.Select(shuffled(listed, 1), shuffled(earlier, 2))); diff != "" {
			t.Fatalf("in another order (-first +second):\n%s", diff)
		}
		seen := map[string]bool{}
		for _, v := range got.Verdicts {
			if seen[v.Tag] || v.Taken != slices.Contains(got.Chosen, v.Tag) || v.Taken && (artefact.MatchString(v.Tag) || strings.HasPrefix(v.Tag, "prewarm-")) {
				t.Fatalf("verdict %+v of %+v", v, got)
			}
			seen[v.Tag] = true
		}
		for _, tag := range slices.Concat(listed, earlier) {
			if !seen[tag] {
				t.Fatalf("no verdict on %q", tag)
			}
		}
		if diff := cmp.Diff(got.Chosen, spec.Select(nil, got.Chosen).Chosen); diff != "" {
			t.Fatalf("no tags (-first +second):\n%s", diff)
		}
	})
}
