package config

import "testing"

func TestQuorum(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Quorum{
		"all": All, "any": {}, "80%": {80}, "1%": {1}, "100%": All, "080%": {80},
	} {
		r := newReader("", "")
		r.at["when"] = position{}
		if got := r.quorum("when", text); got != want || len(r.found) > 0 {
			t.Errorf("%q is %v, %v, want %v", text, got, r.found, want)
		}
	}
	for want, q := range map[string]Quorum{"all": All, "any": {}, "80%": {80}} {
		if got := q.String(); got != want {
			t.Errorf("%d percent is written %q, want %q", q.Percent, got, want)
		}
	}
}
