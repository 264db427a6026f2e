package main

import "testing"

func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"COPY dist /srv":             "COPY dist /srv",
		"two\nlines\n":               "two lines",
		"\x1b[2Jgone\a":              "[2Jgone",
		"\u202eright to left":        "right to left",
		"broken \xff":                "broken ?",
		"grüße":                      "grüße",
		"\x00\x01 blanks are kept  ": " blanks are kept  ",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
