package registry

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hubNode = "docker.io/library/node"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"node":                             hubNode + ":latest",
		"node:22":                          hubNode + ":22",
		"library/node:22":                  hubNode + ":22",
		"docker.io/node:22":                hubNode + ":22",
		"index.docker.io/library/node:22":  hubNode + ":22",
		"etl/node":                         "docker.io/etl/node:latest",
		"reg.example.com/node":             "reg.example.com/node:latest",
		"reg.example.com:5000/etl/node:1":  "reg.example.com:5000/etl/node:1",
		"localhost/node:1":                 "localhost/node:1",
		"localhost:5000/node":              "localhost:5000/node:latest",
		"[::1]:5000/node:1":                "[::1]:5000/node:1",
		"reg.example.com/a/b/c_d/e-f:v1.2": "reg.example.com/a/b/c_d/e-f:v1.2",
		"":                                 "",
		"Node":                             "",
		"Foo/x":                            "",
		"reg_1.example.com/x":              "",
		"node:":                            "",
		"node:a b":                         "",
		"node:" + strings.Repeat("a", 129): "",
		"node@" + digestA:                  "",
		"node:22@" + digestA:               "",
		"https://reg.example.com/node":     "",
		" node":                            "",
		strings.Repeat("a", 64):            "", // an image id
		"reg.example.com/":                 "",
		"reg.example.com/" + strings.Repeat("a", 256): "",
	} {
		ref, err := ParseRef(in)
		if got := ref.String(); got != want || (err == nil) != (want != "") {
			t.Errorf("ParseRef(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParsePin(t *testing.T) {
	t.Parallel()
	want := mustPin(t, hubNode+"@"+digestA)
	for _, same := range []string{"node", "library/node", "docker.io/node", "index.docker.io/node", "index.docker.io/library/node"} {
		if got := mustPin(t, same+"@"+digestA); got != want {
			t.Errorf("pin of %s is %s, want it equal to %s", same, got, want)
		}
	}
	for _, bad := range []string{
		"", "node", "node:22", "node:22@" + digestA, "node@" + digestA[:70], "node@sha256:" + strings.Repeat("A", 64),
		"node@sha512:" + strings.Repeat("a", 128), "@" + digestA, digestA,
	} {
		if got, err := ParsePin(bad); err == nil {
			t.Errorf("ParsePin(%q) = %s, want an error", bad, got)
		}
	}
}

func TestNewRef(t *testing.T) {
	t.Parallel()
	repo := must(ParseRepository("node"))(t)
	if got := must(NewRef(repo, "22"))(t); got != mustRef(t, "node:22") {
		t.Errorf("NewRef = %s", got)
	}
	for _, tag := range []string{"", ".a", "-a", "a/b", "a:b", "a b", "a\n", "é", strings.Repeat("a", 129)} {
		if got, err := NewRef(repo, tag); err == nil {
			t.Errorf("NewRef(%q) = %s, want an error", tag, got)
		}
	}
	if _, err := NewRef(Repository{}, "22"); err == nil {
		t.Error("NewRef without a repository: no error")
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][4]string{
		"node":                     {hubNode, "docker.io", "library/node", "node"},
		"docker.io/etl/x":          {"docker.io/etl/x", "docker.io", "etl/x", "etl/x"},
		"reg.example.com:5000/a/b": {"reg.example.com:5000/a/b", "reg.example.com:5000", "a/b", "reg.example.com:5000/a/b"},
		"node:22":                  {},
		"node@" + digestA:          {},
	} {
		r, err := ParseRepository(in)
		got := [4]string{r.String(), r.Host(), r.Path()}
		if !r.IsZero() {
			got[3] = r.Familiar()
		}
		if got != want || (err == nil) != (want[0] != "") {
			t.Errorf("ParseRepository(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	d := must(ParseDigest(digestA))(t)
	if d.Hex() != digestA[7:] || d.Short() != "sha256:aaaaaaaaaaaa" || Digest("x").Short() != "x" {
		t.Errorf("Hex %q, Short %q", d.Hex(), d.Short())
	}
}

func TestZeroValuesNameNothing(t *testing.T) {
	t.Parallel()
	if !(Ref{}).IsZero() || !(Pin{}).IsZero() || !(Repository{}).IsZero() {
		t.Error("a zero value is not IsZero")
	}
	if s := (Ref{}).String() + (Pin{}).String() + (Repository{}).String(); s != "" {
		t.Errorf("zero values print %q", s)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	type both struct {
		Ref  Ref
		Pin  Pin
		Keys map[Pin]int
	}
	for _, in := range []both{
		{},
		{Ref: mustRef(t, "node:22"), Pin: mustPin(t, "node@"+digestA), Keys: map[Pin]int{mustPin(t, "node@"+digestA): 1}},
	} {
		var out both
		if err := json.Unmarshal(must(json.Marshal(in))(t), &out); err != nil {
			t.Fatal(err)
		}
		if out.Ref != in.Ref || out.Pin != in.Pin || len(out.Keys) != len(in.Keys) {
			t.Errorf("%v came back as %v", in, out)
		}
	}
	var out both
	if err := json.Unmarshal([]byte(`{"Pin":"node:22"}`), &out); err == nil {
		t.Error("a ref was read as a pin")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"node", "node:22", "node@" + digestA, "node:22@" + digestA, "index.docker.io/node", "Foo/x", "[::1]:5000/x", "localhost/x",
		"a.b:5/c", "docker.io/library/a/b", "x@sha512:00", "LOCALHOST/x", "docker.io/docker.io/x", "a.b_c/d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, refErr := ParseRef(s)
		pin, pinErr := ParsePin(s)
		if refErr == nil && pinErr == nil {
			t.Fatalf("%q is both the ref %s and the pin %s", s, ref, pin)
		}
		if refErr == nil {
			if again, err := ParseRef(ref.String()); err != nil || again != ref {
				t.Errorf("%q: %s reads as %s, %v", s, ref, again, err)
			}
			if _, err := targetOf(ref.Repository(), false); err != nil {
				t.Errorf("%q: the registry's library refuses %s: %v", s, ref, err)
			}
		}
		if pinErr == nil {
			if again, err := ParsePin(pin.String()); err != nil || again != pin {
				t.Errorf("%q: %s reads as %s, %v", s, pin, again, err)
			}
		}
	})
}
