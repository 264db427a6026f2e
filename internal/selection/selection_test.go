package selection

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewFillsInDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, want Options }{
		{Options{}, Options{Order: "semver", Newest: 1}},
		{
			Options{Include: `^v(\d+)`, Exclude: "x", Extract: "$1", Order: "numeric", Newest: 3, Downgrade: true},
			Options{Include: `^v(\d+)`, Exclude: "x", Extract: "$1", Order: "numeric", Newest: 3, Downgrade: true},
		},
	} {
		spec := mustNew(t, c.given)
		if diff := cmp.Diff(c.want, spec.Options()); diff != "" {
			t.Errorf("options of %+v (-want +got):\n%s", c.given, diff)
		}
		if again := mustNew(t, spec.Options()); !again.Equal(spec) {
			t.Errorf("%+v made anew from its options is not equal", c.given)
		}
		if spec.IsZero() || spec.Equal(Spec{}) {
			t.Errorf("%+v is zero", c.given)
		}
	}
	if !(Spec{}).IsZero() {
		t.Error("the zero spec is not zero")
	}
	if mustNew(t, Options{Newest: 2}).Equal(mustNew(t, Options{})) {
		t.Error("specs of different options are equal")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options          Options
		field, why, mend string
	}{
		{Options{Include: "(a"}, "include", "missing closing )", "RE2"},
		{Options{Include: "a(?=b)"}, "include", "invalid or unsupported Perl syntax", "RE2"},
		{Options{Exclude: "[z-a]"}, "exclude", "invalid character class range", "RE2"},
		{Options{Extract: "$1"}, "extract", "there is no include", "write one with a group"},
		{Options{Include: "^v", Extract: "$1"}, "extract", `include has no group "1"`, "${1}"},
		{Options{Include: "^v(.*)", Extract: "$2"}, "extract", `include has no group "2"`, "${1}"},
		{Options{Include: "^v(.*)", Extract: "$1x"}, "extract", `include has no group "1x"`, "${1}"},
		{Options{Include: "^v(.*)", Extract: "$01"}, "extract", `include has no group "01"`, "${1}"},
		{Options{Include: "^v(.*)", Extract: "$1é"}, "extract", `include has no group "1é"`, "${1}"},
		{Options{Include: "^v(?P<n>.*)", Extract: "$n ${m}"}, "extract", `include has no group "m"`, "${1}"},
		{Options{Include: "^v(.*)", Extract: "1"}, "extract", "it names no group", "'$1'"},
		{Options{Include: "^v(.*)", Extract: "$$1"}, "extract", "it names no group", "'$1'"},
		{Options{Order: "smever"}, "order", "there is no such order", "write semver, numeric or alpha"},
		{Options{Order: "created"}, "order", "there is no such order", "write semver"},
		{Options{Order: "SEMVER"}, "order", "there is no such order", "write semver"},
		{Options{Range: "newest"}, "range", "it is not understood", ">=1.2 <2"},
		{Options{Range: ">=1.2 <<2"}, "range", "it is not understood", ">=1.2 <2"},
		{Options{Range: ">=1|2"}, "range", "it is not understood", ">=1.2 <2"},
		{Options{Range: ">1", Order: "numeric"}, "range", "the order is numeric", "order: semver"},
		{Options{Newest: -1}, "newest", "at least one", "1 or more"},
	} {
		spec, err := New(c.options)
		var refusal *OptionError
		if !errors.As(err, &refusal) {
			t.Errorf("%+v: error %v, want an *OptionError", c.options, err)
			continue
		}
		if refusal.Field != c.field || !strings.Contains(refusal.Why, c.why) || !strings.Contains(refusal.Mend, c.mend) {
			t.Errorf("%+v: %v, want field %s, why %q, mend %q", c.options, err, c.field, c.why, c.mend)
		}
		if text := err.Error(); !strings.Contains(text, refusal.Value) || !strings.Contains(text, refusal.Why+"; "+refusal.Mend) {
			t.Errorf("%+v: the error does not say all: %s", c.options, text)
		}
		if !spec.IsZero() {
			t.Errorf("%+v was refused, yet gave a spec", c.options)
		}
	}
}

func TestExtractsThatAreTaken(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Include: "v", Extract: "$0"},
		{Include: "^v(.*)", Extract: "${1}x"},
		{Include: "^v(.*)", Extract: "$$$1"},
		{Include: "^v(?P<n>.*)", Extract: "$n"},
		{Include: "^v(?<n>.*)", Extract: "${n}"},
	} {
		if _, err := New(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
