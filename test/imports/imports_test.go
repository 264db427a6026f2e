package imports

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestImports(t *testing.T) {
	t.Parallel()
	tree, err := readTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches(tree) {
		t.Error(b)
	}
	for path := range rooms {
		if !slices.ContainsFunc(tree, func(s source) bool { return s.path == path }) {
			t.Errorf("%s is gone: take it out of rooms", path)
		}
	}
}

// The table itself keeps to the drawing: whoever adds an arrow that goes up or
// sideways changes the architecture, and not this test.
func TestArrowsGoDown(t *testing.T) {
	t.Parallel()
	for path, r := range rooms {
		if r.why == "" {
			t.Errorf("%s has no reason", path)
		}
		for _, to := range r.may {
			if below, ok := rooms[to]; !ok || below.floor <= r.floor {
				t.Errorf("%s may import %s, which is not below it", path, to)
			}
		}
	}
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	const docker, viper = "github.com/docker/docker/client", "github.com/spf13/viper"
	for name, c := range map[string]struct {
		source source
		want   []string // what each breach has to say, in order
	}{
		"as drawn":             {source{path: "runner", imports: []string{"context", module + "/registry"}}, nil},
		"a sibling":            {source{path: "runner", imports: []string{module + "/warmer"}}, []string{"runner imports warmer: " + domainRule}},
		"upwards":              {source{path: "registry", imports: []string{module + "/config"}}, []string{"registry imports config: registry is a leaf"}},
		"a fake":               {source{path: "internal/app", imports: []string{module + "/internal/docker/dockertest"}}, []string{"internal/app imports internal/docker/dockertest"}},
		"a fake in a test":     {source{path: "runner", tests: []string{module + "/internal/docker/dockertest"}}, nil},
		"itself in a test":     {source{path: "runner", tests: []string{module + "/runner"}}, nil},
		"upwards in a test":    {source{path: "runner", tests: []string{module + "/config"}}, nil},
		"a helper of tests":    {source{path: "runner", imports: []string{module + "/test/fleet"}}, []string{"runner imports test/fleet"}},
		"HTTP in the domain":   {source{path: "warmer", imports: []string{"net/http"}}, []string{"warmer imports net/http: only internal/api, internal/docker, internal/metrics, internal/notify, internal/server, registry, registry/webhook may: the domain"}},
		"SDK in the domain":    {source{path: "warmer", imports: []string{docker}}, []string{"warmer imports " + docker + ": only internal/docker may"}},
		"SDK where it belongs": {source{path: "internal/docker", imports: []string{docker}, tests: []string{docker}}, nil},
		"SDK in a test":        {source{path: "internal/app", tests: []string{viper}}, []string{"a test of internal/app imports " + viper + ": only config may"}},
		"a similar name":       {source{path: "cmd/prewarm", imports: []string{"github.com/docker/docker-credential-helpers"}}, []string{"is new here"}},
		"a new library":        {source{path: "warmer", imports: []string{"example.com/lib"}}, []string{"warmer imports example.com/lib, which is new here"}},
		"a new package":        {source{path: "internal/novelty", imports: []string{module + "/warmer"}}, []string{"internal/novelty is new"}},
		"below test":           {source{path: "test/fleet", imports: []string{module + "/internal/app", docker, "net/http"}}, nil},
	} {
		got := breaches([]source{c.source})
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %d", name, got, len(c.want))
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %q does not say %q", name, got[i], c.want[i])
			}
		}
	}
}

// breaches tells where packages import what they may not, one line each.
func breaches(tree []source) []string {
	var all []string
	for _, s := range tree {
		r, known := rooms[s.path]
		switch {
		case below(s.path, "test"):
			continue
		case !known:
			all = append(all, fmt.Sprintf("%s is new: write down in rooms what it may import, and why", s.path))
			continue
		}
		for _, imported := range s.imports {
			if to, ok := ours(imported); ok {
				all = appendSome(all, r.breach(s.path, to))
			} else {
				all = appendSome(all, misuse(s.path, imported, false))
			}
		}
		// A test may put any real thing where its room wants an interface; the
		// libraries behind it are not its business.
		for _, imported := range s.tests {
			if _, ok := ours(imported); !ok {
				all = appendSome(all, misuse(s.path, imported, true))
			}
		}
	}
	return all
}

// breach says why a room may not import another; nothing where it may.
func (r room) breach(path, to string) string {
	if slices.Contains(r.may, to) {
		return ""
	}
	return fmt.Sprintf("%s imports %s: %s", path, to, r.why)
}

// misuse says why a package may not import what is not ours; nothing where it
// may.
func misuse(path, imported string, inTest bool) string {
	who := path
	if inTest {
		who = "a test of " + path
	}
	lib, known := libraryOf(imported)
	switch {
	case known && (len(lib.by) == 0 || slices.Contains(lib.by, path) || inTest && lib.inTests):
		return ""
	case known:
		return fmt.Sprintf("%s imports %s: only %s may: %s", who, imported, strings.Join(lib.by, ", "), lib.why)
	case standard(imported):
		return ""
	}
	return fmt.Sprintf("%s imports %s, which is new here: write down in libraries who may, and why", who, imported)
}

// libraryOf finds the rule of an import: the longest path that covers it.
func libraryOf(imported string) (library, bool) {
	var found library
	for _, l := range libraries {
		if below(imported, l.path) && len(l.path) > len(found.path) {
			found = l
		}
	}
	return found, found.path != ""
}

func appendSome(all []string, s string) []string {
	if s == "" {
		return all
	}
	return append(all, s)
}
