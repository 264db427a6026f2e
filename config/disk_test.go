package config

import "testing"

func TestMarks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Mark{
		"85%": {Percent: 85}, "1%": {Percent: 1}, "100%": {Percent: 100}, "92.5%": {Percent: 92.5}, "085.50%": {Percent: 85.5},
		"1m": {Bytes: mib}, "400g": {Bytes: 400 * gib}, "1048576": {Bytes: mib}, "1.5 TiB": {Bytes: 3 << 39},
	} {
		r := newReader("", "")
		r.at["high"] = position{}
		if got := r.mark("high", text); got != want || len(r.found) > 0 {
			t.Errorf("%q is %+v, %v, want %+v", text, got, r.found, want)
		}
		if got := r.mark("high", want.String()); got != want {
			t.Errorf("%q is written %q and read as %+v", text, want.String(), got)
		}
	}
	for _, text := range []string{
		"", "%", "0%", "0.99%", "100.1%", "101%", "-1%", "+1%", "1e1%", "0x10%", "NaN%", "Inf%", "8 5%", "85 %", "85%%", "85.%", ".5%", "85", "1023k", "-1g", "most",
	} {
		r := newReader("", "")
		r.at["high"] = position{}
		if got := r.mark("high", text); !got.IsZero() || len(r.found) != 1 {
			t.Errorf("%q is %+v, %v, want a refusal", text, got, r.found)
		}
	}
	if got := (Mark{}).String(); got != "" {
		t.Errorf("no mark is written %q", got)
	}
}

func TestMarkOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mark        Mark
		total, want int64
	}{
		{Mark{}, 100, 0},
		{Mark{Percent: 85}, 0, 0},
		{Mark{Percent: 85}, 1000, 850},
		{Mark{Percent: 99.9}, 1000, 999},
		{Mark{Percent: 100}, maxSize, maxSize},
		{Mark{Percent: 1}, maxSize, 11258999068426},
		{Mark{Bytes: 7}, 0, 7},
		{Mark{Bytes: 700}, 100, 700},
	} {
		if got := c.mark.Of(c.total); got != c.want {
			t.Errorf("%+v of %d is %d, want %d", c.mark, c.total, got, c.want)
		}
	}
}
