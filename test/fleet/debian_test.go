package fleet

import "testing"

func TestParseMirror(t *testing.T) {
	t.Parallel()
	const uris = `'http://security.example/debian-security/dists/bookworm-security/InRelease' a 0
'http://deb.example/debian/dists/bookworm-updates/InRelease' b 0
'https://deb.example/debian/dists/bookworm/InRelease' c 0
'https://deb.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' d 0
`
	if got, err := parseMirror(uris, "bookworm"); err != nil || got != "https://deb.example/debian" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := parseMirror(uris, "trixie"); err == nil {
		t.Errorf("got %q for a suite that is not there", got)
	}
}

func TestParseOSRelease(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ID=debian\nVERSION_CODENAME=bookworm\n":   "bookworm",
		"VERSION_CODENAME=\"trixie\"\nID=debian\n": "trixie",
		"ID=debian\n": "",
	} {
		got, err := parseOSRelease(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
