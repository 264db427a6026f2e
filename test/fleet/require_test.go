package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMissingTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"dockerd": 0o755, "ip": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	path := "relative:" + dir
	if err := missing(true, path, []string{"dockerd"}); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	err := missing(false, path, []string{"dockerd", "ip", "docker-registry"})
	if err == nil {
		t.Fatal("nothing is said to be missing")
	}
	for _, want := range []string{"the rights of root", " ip,", "docker-registry", "sh test/setup.sh"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "dockerd") {
		t.Errorf("%q names what is there", err)
	}
}
