package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeBuild(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{
		Deps: []*debug.Module{
			{Path: "modernc.org/sqlite", Version: "v1.60.1"},
			{Path: "github.com/unimportant/one", Version: "v1.0.0"},
			{Path: "github.com/docker/docker", Version: "v1.0.0", Replace: &debug.Module{Path: "github.com/docker/docker", Version: "v28.5.2"}},
		},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "c0ffee"}, {Key: "vcs.time", Value: "2026-11-29T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	want := built{
		Version: buildVersion(), Commit: "c0ffee", Date: "2026-11-29T00:00:00Z", Modified: true,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Libraries: []library{{"github.com/docker/docker", "v28.5.2"}, {"modernc.org/sqlite", "v1.60.1"}},
	}
	if diff := cmp.Diff(want, describeBuild(info)); diff != "" {
		t.Error(diff)
	}
	var text strings.Builder
	if err := want.print(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "commit c0ffee of 2026-11-29T00:00:00Z, with changes since\n") || !strings.Contains(text.String(), "modernc.org/sqlite        v1.60.1\n") {
		t.Error(text.String())
	}
	none := describeBuild(nil)
	text.Reset()
	if err := none.print(&text); err != nil || strings.Count(text.String(), "\n") != 1 {
		t.Errorf("of a build that knows nothing: %q, %v", text.String(), err)
	}
}

// A library that is not used any more would vanish from what version says, and
// nobody would notice.
func TestTheLibrariesOfVersionAreUsed(t *testing.T) {
	t.Parallel()
	modules, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range libraries {
		if !strings.Contains(string(modules), "\t"+name+" v") {
			t.Errorf("go.mod does not require %s", name)
		}
	}
}
