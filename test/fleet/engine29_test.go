package fleet

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnEngineIsLookedForInTheCache(t *testing.T) {
	cacheDir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cacheDir)
	hosts := []HostOptions{{}, {Engine: Engine29Classic}}
	if err := checkEngines(hosts); err == nil || !strings.Contains(err.Error(), "go run ./test/rig engine29") {
		t.Errorf("an engine that was not built: %v, want what to do", err)
	}
	dir, err := engine29Dir()
	if err != nil || !strings.HasPrefix(dir, cacheDir) {
		t.Fatalf("%s, %v", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := checkEngines(hosts); err != nil {
		t.Errorf("an engine that is there: %v", err)
	}
	if got, err := BuildEngine29(t.Context(), io.Discard); err != nil || got != dir {
		t.Errorf("it is built again: %s, %v", got, err)
	}
	if first, _, _ := strings.Cut(Engine29.path(), ":"); first != dir {
		t.Errorf("its programs are taken from %s first", first)
	}
	if err := checkEngines([]HostOptions{{Engine: 99}}); err == nil {
		t.Error("an engine that nobody knows is there")
	}
}

func TestABuildAppearsAsAWhole(t *testing.T) {
	t.Parallel()
	const module = "example.com/m@v1.0.0"
	dir := filepath.Join(t.TempDir(), "tool")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := buildInto(ctx, dir, [][]string{{module}}, io.Discard); err == nil || !strings.Contains(err.Error(), module) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) > 0 {
		t.Errorf("left of a failed build: %v, %v", left, err)
	}
	if err := buildInto(t.Context(), dir, nil, io.Discard); err != nil || !exists(dir) {
		t.Errorf("a build that succeeds: %v", err)
	}
}
