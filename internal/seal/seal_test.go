package seal_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/seal"
	"github.com/prewarm/prewarm/runner"
)

// Both are what the runner asked for.
var (
	_ runner.Sealer = (*seal.Sealer)(nil)
	_ runner.Sealer = seal.None{}
)

// key is one that is easily found again in what is printed.
func key(letter string) []byte { return []byte(strings.Repeat(letter, 44)) }

func sealer(t *testing.T, key []byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]byte{"text": key("k"), "32 bytes": key("k")[:32], "raw": append(make([]byte, 31), 1)} {
		for _, plain := range []string{"", "s3cr3t", strings.Repeat("long", 1<<18)} {
			s := sealer(t, key)
			sealed, err := s.Seal([]byte(plain))
			if err != nil {
				t.Fatal(err)
			}
			if plain != "" && bytes.Contains(sealed, []byte(plain)) {
				t.Errorf("%s: the secret is readable", name)
			}
			again, err := s.Seal([]byte(plain))
			if err != nil || bytes.Equal(sealed, again) {
				t.Errorf("%s: sealed twice to the same bytes (%v)", name, err)
			}
			got, err := sealer(t, key).Open(sealed) // after a restart
			if err != nil || string(got) != plain {
				t.Errorf("%s: got %d bytes, %v", name, len(got), err)
			}
		}
	}
}

// sealedByVersion1 was made by the first release that seals, with key("k").
const sealedByVersion1 = "01ef5d4cdcde154dbcaf07d6de56dd6d29bb5376925af3d8ed3762fef96f98417c45495f688a0d7eca0636d483748e5acf25"

// What an earlier release sealed is opened: the format can't change unnoticed.
func TestOpensWhatWasSealedBefore(t *testing.T) {
	t.Parallel()
	sealed, err := hex.DecodeString(sealedByVersion1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sealer(t, key("k")).Open(sealed)
	if err != nil || string(got) != `{"PASSWORD":"s3cr3t"}` {
		t.Fatalf("got %q %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := sealer(t, key("k"))
	sealed, err := s.Seal([]byte("s3cr3t"))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		by     runner.Sealer
		sealed []byte
		want   string
	}{
		"another key":      {sealer(t, key("l")), sealed, "the key file was changed"},
		"no key":           {seal.None{}, sealed, "the server has none any more"},
		"a changed nonce":  {s, changed(1), "the key file was changed"},
		"a changed end":    {s, changed(len(sealed) - 1), "the key file was changed"},
		"a cut end":        {s, sealed[:len(sealed)-1], "the key file was changed"},
		"hardly anything":  {s, sealed[:1], "the key file was changed"},
		"nothing":          {s, nil, "not sealed by this release"},
		"a later release":  {s, changed(0), "not sealed by this release"},
		"something longer": {s, append(bytes.Clone(sealed), 0), "the key file was changed"},
	} {
		plain, err := c.by.Open(c.sealed)
		if problem.CodeOf(err) != problem.InvalidConfig || !strings.Contains(err.Error(), c.want) || problem.From(err).Mend == "" || plain != nil {
			t.Errorf("%s: got %q %v", name, plain, err)
		}
	}
}

func TestNoneKeepsNothing(t *testing.T) {
	t.Parallel()
	sealed, err := seal.None{}.Seal([]byte("s3cr3t"))
	if problem.CodeOf(err) != problem.NotAllowed || sealed != nil || !strings.Contains(problem.From(err).Mend, "runner.secret_key_file") || strings.Contains(err.Error(), "s3cr3t") {
		t.Fatalf("got %q %v", sealed, err)
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 16, 31} {
		_, err := seal.New(key("k")[:length])
		if problem.CodeOf(err) != problem.InvalidConfig || !strings.Contains(err.Error(), fmt.Sprint(length, " bytes")) || strings.Contains(err.Error(), "kkk") {
			t.Errorf("%d bytes: got %v", length, err)
		}
	}
}

func TestNothingPrintsTheKey(t *testing.T) {
	t.Parallel()
	s := sealer(t, key("k"))
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", "sealer", s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", "sealer", s)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&out, verb+verb, s, *s)
		fmt.Fprintf(&out, verb, struct{ S seal.Sealer }{*s})
	}
	for _, no := range []string{"kkkk", "6b6b", "107 107", "aead", "GCM"} {
		if strings.Contains(out.String(), no) {
			t.Errorf("%q is printed:\n%s", no, &out)
		}
	}
}
