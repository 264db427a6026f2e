package config

import "testing"

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"https://p.test":           "https://p.test",
		"https://p.test/":          "https://p.test",
		"http://[fd00::1]:8470/a/": "http://[fd00::1]:8470/a",
		"https://p.test/a%20b":     "https://p.test/a%20b",
		"HTTPS://p.test":           "HTTPS://p.test",
		"https://p.test//":         "",
		"https://p.test/a/..":      "",
		"https://p.test:":          "",
		"https://p.test:0":         "",
		"https:///a":               "",
		"https://p.test/#":         "",
		"https://p.test?":          "",
		"ftp://p.test":             "",
		"//p.test":                 "",
		"":                         "",
	} {
		r := newReader("", "")
		r.at["url"] = position{}
		if got := r.publicURL("url", written); got != want || (want == "") != (len(r.found) == 1) {
			t.Errorf("%q is read as %q, want %q (%v)", written, got, want, r.found)
		}
	}
}
