package selection

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustNew(t testing.TB, o Options) Spec {
	t.Helper()
	spec, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

var (
	signature = "sha256-" + strings.Repeat("ab", 32)
	keepTag   = "prewarm-" + strings.Repeat("ab", 32)
)

func TestChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		options      Options
		tags, before string
		want         string
	}{
		{"the newest version", Options{}, "1.9.0 1.10.0 1.2.0 latest", "", "1.10.0"},
		{"none", Options{}, "latest main", "", ""},
		{"no tags at all", Options{}, "", "", ""},
		{"fewer than asked for", Options{Newest: 5}, "1.0.0 1.1.0", "", "1.1.0 1.0.0"},
		{"three", Options{Newest: 3}, "1.0.0 1.1.0 0.9.0 1.0.1", "", "1.1.0 1.0.1 1.0.0"},
		{"a tag named twice", Options{Newest: 2}, "1.1.0 1.1.0 1.0.0", "1.1.0", "1.1.0 1.0.0"},

		{"include", Options{Include: `^1\.`}, "1.9.0 2.0.0", "", "1.9.0"},
		{"include is unanchored", Options{Include: `1\.2`}, "11.2.0 1.3.0", "", "11.2.0"},
		{"exclude", Options{Exclude: `^1\.10\.`}, "1.9.0 1.10.0", "", "1.9.0"},
		{"exclude after include", Options{Include: `^1`, Exclude: `0$`}, "1.9.1 1.10.0 2.0.1", "", "1.9.1"},
		{"never an artefact", Options{Include: `sha256`, Order: "alpha", Newest: 9}, signature + " " + signature + ".sig " + signature + "-x", "", ""},
		{"never a keep-tag", Options{Include: `prewarm`, Order: "alpha", Newest: 9}, keepTag + " prewarm-probe", "", ""},
		{"what only looks like one", Options{Order: "alpha", Newest: 9}, "sha256-abc not-prewarm-x", "", "sha256-abc not-prewarm-x"},
		{"an artefact chosen before", Options{Order: "alpha"}, "", signature, ""},

		{"a leading v", Options{Newest: 2}, "v1.2.0 1.10.0", "", "1.10.0 v1.2.0"},
		{"a bare number is no version", Options{}, "1.0.0 20240101 1234567", "", "1.0.0"},
		{"two parts are one", Options{}, "1.9 1.10", "", "1.10"},
		{"four parts are none", Options{}, "1.2.3.4 1.0.0", "", "1.0.0"},
		{"a date with zeros is one", Options{}, "2024.01.05 2024.01.10", "", "2024.01.10"},
		{"numbers beyond 64 bits are none", Options{}, "99999999999999999999.0.0 1.0.0", "", "1.0.0"},
		{"range", Options{Range: ">=1.2 <2", Newest: 9}, "1.1.9 1.2.0 1.9.0 2.0.0", "", "1.9.0 1.2.0"},
		{"range with or", Options{Range: "~1.2 || ^3", Newest: 9}, "1.2.5 1.3.0 2.0.0 3.1.0", "", "3.1.0 1.2.5"},
		{"range with blanks around a dash", Options{Range: "1.2 - 1.4", Newest: 9}, "1.1.0 1.2.0 1.4.0 1.5.0-rc1", "", "1.4.0 1.2.0"},

		{"a prerelease nobody asked for", Options{Newest: 9}, "1.4.0-rc.1 1.3.0", "", "1.3.0"},
		{"not asked for by a range", Options{Range: ">=1", Newest: 9}, "1.4.0-rc.1 1.3.0", "", "1.3.0"},
		{"nor by an include that allows it", Options{Include: `^\d+\.\d+`, Newest: 9}, "1.4.0-rc.1 1.3.0", "", "1.3.0"},
		{"nor by one that may match it", Options{Include: `^\d+\.\d+\.\d+(-rc\.\d+)?$`, Newest: 9}, "1.4.0-rc.1 1.3.0", "", "1.3.0"},
		{"asked for by a range: below its release", Options{Range: ">=1.3-0", Newest: 9}, "1.4.0-rc.2 1.4.0 1.4.0-rc.10 1.3.0", "", "1.4.0 1.4.0-rc.10 1.4.0-rc.2 1.3.0"},
		{"a range's prerelease holds for all of it", Options{Range: ">=1.3-0 <2", Newest: 9}, "1.4.0-rc.2 1.2.0 2.0.0", "", "1.4.0-rc.2"},
		{"asked for by include", Options{Include: `^\d+\.\d+\.\d+-alpine$`, Newest: 9}, "1.4.0 1.4.0-alpine 1.10.0-alpine 1.11.0-slim", "", "1.10.0-alpine 1.4.0-alpine"},
		{"asked for by include, in range", Options{Include: `-alpine$`, Range: ">=1.4 <2", Newest: 9}, "1.4.0-alpine 1.3.0-alpine 2.0.0-alpine", "", "1.4.0-alpine"},
		{"asked for by both: the range's word", Options{Include: `-rc\d+$`, Range: ">=1.4.0-rc2", Newest: 9}, "1.4.0-rc1 1.4.0-rc2 1.4.0-rc3", "", "1.4.0-rc3 1.4.0-rc2"},
		{"a release candidate of a variant", Options{Include: `-alpine$`, Newest: 9}, "8.0-rc1-alpine 8.0-alpine 7.4.2-alpine", "", "8.0-alpine 7.4.2-alpine"},
		{"of a variant, in range", Options{Include: `-alpine$`, Range: "<9", Newest: 9}, "8.0-rc1-alpine 8.0-alpine", "", "8.0-alpine"},
		{"of a variant, counted apart", Options{Include: `-alpine3\.20$`, Newest: 9}, "9.0.100-rc.2.24474.11-alpine3.20 9.0.100-preview-3-alpine3.20 8.0.0-alpine3.20", "", "8.0.0-alpine3.20"},
		{"of a variant, allowed and not demanded", Options{Include: `^\d+\.\d+(-rc\.?\d+)?-alpine$`, Newest: 9}, "8.0-rc1-alpine 8.0-rc.1-alpine 8.0-alpine", "", "8.0-alpine"},
		{"of a variant, after it", Options{Include: `-alpine`, Newest: 9}, "8.0-alpine-rc1 8.0-alpine.beta.2 8.0-alpine", "", "8.0-alpine"},
		{"of a variant, in capitals", Options{Include: `-jre$`, Newest: 9}, "8.0-SNAPSHOT-jre 8.0-RC1-jre 8.0-jre", "", "8.0-jre"},
		{"of a variant, by a dot", Options{Include: `^\d+\.\d+(-rc1\.alpine|-alpine)$`, Newest: 9}, "8.0-rc1.alpine 8.0-alpine", "", "8.0-alpine"},
		{"of a variant, demanded", Options{Include: `-rc\d+-alpine$`, Newest: 9}, "8.0-rc1-alpine 8.0-beta1-alpine 8.0-alpine", "", "8.0-rc1-alpine"},
		{"of a variant, demanded and counted apart", Options{Include: `-rc\.\d+-alpine$`, Newest: 9}, "8.0-rc.1-alpine 8.0-1-alpine", "", "8.0-rc.1-alpine"},
		{"of a variant, one of two demanded", Options{Include: `-beta\d*-alpine$`, Newest: 9}, "8.0-beta1-alpine 8.0-rc1-beta1-alpine", "", "8.0-beta1-alpine"},
		{"of a variant, asked for by a range", Options{Include: `-alpine$`, Range: ">=8-0", Newest: 9}, "8.0-rc1-alpine 7.0-alpine", "", "8.0-rc1-alpine"},
		{"demanded: alpha or beta", Options{Include: `-(alpha|beta)(\.\d+)?$`, Newest: 9}, "1.0-alpha 1.0-beta.2 1.0-rc1 1.0", "", "1.0-beta.2 1.0-alpha"},
		{"demanded: nightly of a date", Options{Include: `-nightly-\d+$`, Newest: 9}, "1.0-nightly-20261122 1.0-20261122", "", "1.0-nightly-20261122"},
		{"a number demanded, not what it counts", Options{Include: `-\d+$`, Newest: 9}, "1.0-rc-3 1.0-2", "", "1.0-2"},
		{"a variant that only begins so", Options{Include: `^1\.\d+-\w+$`, Newest: 9}, "1.0-devel 1.0-rcx 1.0-alpine3", "", "1.0-rcx 1.0-devel 1.0-alpine3"},
		{"made one by extract", Options{Include: `^(.+)_rc(\d+)$`, Extract: "$1-rc$2", Newest: 9}, "1.4.0_rc1", "", ""},

		{"extract by number", Options{Include: `^(\d+\.\d+\.\d+)-alpine$`, Extract: "$1", Newest: 2}, "1.9.0-alpine 1.10.0-alpine 1.11.0", "", "1.10.0-alpine 1.9.0-alpine"},
		{"extract by name", Options{Include: `^main-(?P<build>\d+)-`, Extract: "${build}", Order: "numeric"}, "main-9-abc main-10-abc", "", "main-10-abc"},
		{"extract puts together", Options{Include: `^(\d+)_(\d+)$`, Extract: "${2}.${1}", Order: "numeric"}, "9_1 1_9", "", "1_9"},
		{"extract with nothing left", Options{Include: `^v(\d*)`, Extract: "$1", Order: "numeric"}, "v v1", "", "v1"},
		{"build metadata ties: the greater name", Options{Include: `^(.+)_(b\d)$`, Extract: "$1+$2", Newest: 2}, "1.0.0_b1 1.0.0_b2 0.9.0_b3", "", "1.0.0_b2 1.0.0_b1"},
		{"equal versions: the greater name", Options{Newest: 3}, "1.4 v1.4.0 1.4.0", "", "v1.4.0 1.4.0 1.4"},

		{"numbers", Options{Order: "numeric"}, "9 10 2", "", "10"},
		{"numbers of any length", Options{Order: "numeric", Newest: 2}, "9007199254740993 9007199254740992 123456789012345678901234567890", "", "123456789012345678901234567890 9007199254740993"},
		{"leading zeros count for nothing", Options{Order: "numeric", Newest: 3}, "007 8 06", "", "8 007 06"},
		{"nor do zeros alone", Options{Order: "numeric", Newest: 3}, "000 0 1", "", "1 000 0"},
		{"dates in groups", Options{Order: "numeric", Newest: 4}, "2024.1.9 2024.01.10 2023-12-31 2024.01.10-1", "", "2024.01.10-1 2024.01.10 2024.1.9 2023-12-31"},
		{"no numbers", Options{Order: "numeric", Newest: 9}, "1a v1 -1 1. 1..2 1.2", "", "1.2"},
		{"bytes", Options{Order: "alpha", Newest: 4}, "b a B 10 9", "", "b a B 9"},

		{"what vanished stays", Options{}, "1.3.0", "1.4.0", "1.4.0"},
		{"what vanished goes for a newer one", Options{}, "1.3.0 1.5.0", "1.4.0", "1.5.0"},
		{"one of three vanished", Options{Newest: 3}, "1.4.0 1.2.0 1.1.0", "1.4.0 1.3.0 1.2.0", "1.4.0 1.3.0 1.2.0"},
		{"one of three vanished, one is new", Options{Newest: 3}, "1.5.0 1.4.0 1.2.0 1.1.0", "1.4.0 1.3.0 1.2.0", "1.5.0 1.4.0 1.3.0"},
		{"all vanished", Options{Newest: 3}, "", "1.4.0 1.3.0", "1.4.0 1.3.0"},
		{"what vanished and is no longer wanted", Options{Include: `^1\.`}, "1.4.0", "2.0.0", "1.4.0"},
		{"fewer are wanted", Options{}, "1.3.0", "1.4.0 1.3.0", "1.4.0"},
		{"downgrade", Options{Downgrade: true}, "1.3.0", "1.4.0", "1.3.0"},
		{"downgrade, of three", Options{Newest: 3, Downgrade: true}, "1.4.0 1.2.0 1.1.0", "1.4.0 1.3.0 1.2.0", "1.4.0 1.2.0 1.1.0"},
		{"release candidates too", Options{Range: ">=0-0", Newest: 2}, "1.4.0-rc.1 1.3.0 1.2.0", "", "1.4.0-rc.1 1.3.0"},
		{"a caret of one number", Options{Range: "^1", Newest: 3}, "0.9.0 1.0.0 1.9.0 2.0.0", "", "1.9.0 1.0.0"},
		{"a range's end with its prereleases, and without", Options{Range: ">=1.4-0 <2 || >=3.4-0 <4-0", Newest: 9}, "2.0.0-rc.1 4.0.0-rc.1", "", "2.0.0-rc.1"},
		{"downgrade to nothing", Options{Downgrade: true}, "", "1.4.0", "1.4.0"},
		{"downgrade to nothing that could be taken", Options{Downgrade: true}, "latest 2.0.0-rc1", "1.4.0", "1.4.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := mustNew(t, c.options).Select(strings.Fields(c.tags), strings.Fields(c.before)).Chosen
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("chosen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	spec := mustNew(t, Options{
		Include: `^(?:build-)?(.*)$`, Extract: "$1", Exclude: "-dev$", Range: ">=1 <3", Newest: 2,
	})
	tags := []string{
		"latest", "1.2.0", "2.1.0-dev", "build-1.9.0", keepTag, "3.0.0", "2.2.0-rc1", "build-x", "build-", signature + ".sig", "1.0.0",
	}
	want := []Verdict{
		{"2.0.0", true, "2.0.0", "is the newest; it vanished from the registry and stays until a newer one takes its place"},
		{"build-1.9.0", true, "1.9.0", "is number 2 from the newest"},
		{"3.0.0", false, "3.0.0", "is out of range >=1 <3"},
		{"2.2.0-rc1", false, "2.2.0-rc1", "is a prerelease, for which neither range nor include asks"},
		{"1.2.0", false, "1.2.0", "is older than the newest 2"},
		{"1.0.0", false, "1.0.0", "is older than the newest 2"},
		{"2.1.0-dev", false, "", "matches exclude"},
		{"build-", false, "", "is left with nothing to compare by extract"},
		{"build-x", false, "", `gives "x" by extract, which is not a version of at least MAJOR.MINOR`},
		{"latest", false, "", "is not a version of at least MAJOR.MINOR"},
		{keepTag, false, "", "is a tag that Prewarm sets itself"},
		{signature + ".sig", false, "", "is an artefact of another image, such as a signature"},
	}
	got := spec.Select(tags, []string{"2.0.0"})
	if diff := cmp.Diff(Result{Chosen: []string{"2.0.0", "build-1.9.0"}, Verdicts: want}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestVerdictOnAReleaseCandidateOfAVariant(t *testing.T) {
	t.Parallel()
	want := []Verdict{
		{"8.0-alpine", true, "8.0-alpine", "is the newest"},
		{"8.0-rc.1-alpine", false, "8.0-rc.1-alpine", `is a prerelease by its "rc", for which neither range nor include asks`},
	}
	got := mustNew(t, Options{Include: `-alpine$`}).Select([]string{"8.0-alpine", "8.0-rc.1-alpine"}, nil).Verdicts
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

func TestVerdictsOfOtherOrders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options Options
		want    []Verdict
	}{
		{"numeric", Options{Order: "numeric", Include: "^[a-z0-9]"}, []Verdict{
			{"10", true, "10", "is the newest"},
			{"9", false, "9", "is older than the newest"},
			{"Z", false, "", "does not match include"},
			{"a", false, "", "is not made of whole numbers"},
		}},
		{"alpha, downgrade", Options{Order: "alpha", Include: "^[A-Z1]", Downgrade: true}, []Verdict{
			{"Z", true, "Z", "is the newest"},
			{"ZZ", false, "ZZ", "vanished from the registry, and downgrade lets it go"},
			{"10", false, "10", "is older than the newest"},
			{"9", false, "", "does not match include"},
			{"a", false, "", "does not match include"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var before []string
			if c.options.Downgrade {
				before = []string{"ZZ"}
			}
			got := mustNew(t, c.options).Select([]string{"9", "10", "a", "Z"}, before).Verdicts
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheZeroSpecSelectsNothing(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Result{}, Spec{}.Select([]string{"1.0.0"}, []string{"2.0.0"})); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func BenchmarkSelect(b *testing.B) {
	var tags []string
	for i := range 10_000 {
		switch i % 10 {
		case 0:
			tags = append(tags, fmt.Sprintf("sha256-%064x.sig", i))
		case 1, 2:
			tags = append(tags, fmt.Sprintf("main-%d-%07x", i, i*7919))
		default:
			tags = append(tags, fmt.Sprintf("%d.%d.%d", i%4, i%37, i))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	for _, options := range []Options{
		{Range: ">=1.2 <4", Newest: 3, Exclude: `-rc\d+$`},
		{Include: `^main-(\d+)-`, Extract: "$1", Order: "numeric", Newest: 3},
		{Order: "alpha"},
	} {
		b.Run(mustNew(b, options).Options().Order, func(b *testing.B) {
			spec := mustNew(b, options)
			for b.Loop() {
				spec.Select(tags, nil)
			}
		})
	}
}
