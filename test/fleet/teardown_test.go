package fleet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	const mountinfo = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:4 / /tmp/f rw - tmpfs tmpfs rw
23 21 0:4 / /tmp/f/etl-1/data rw - tmpfs tmpfs rw
24 21 0:4 / /tmp/f/with\040space rw - tmpfs tmpfs rw
25 23 0:4 / /tmp/f/etl-1/data/overlay rw - tmpfs tmpfs rw
26 21 0:4 / /tmp/fleet2 rw - tmpfs tmpfs rw
broken
`
	want := []string{"/tmp/f/etl-1/data/overlay", "/tmp/f/with space", "/tmp/f/etl-1/data"}
	if diff := cmp.Diff(want, mountsBelow(mountinfo, "/tmp/f")); diff != "" {
		t.Error(diff)
	}
}

func TestRemoveCgroups(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"prewarm-1a/etl-1/0123", "cpu/prewarm-1a/etl-1", "cpu/prewarm-1a/etl-2", "cpu/prewarm-1ab", "cpu/docker"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := removeCgroups(root, "1a"); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]bool{"prewarm-1a": false, "cpu/prewarm-1a": false, "cpu/prewarm-1ab": true, "cpu/docker": true} {
		if got := exists(filepath.Join(root, dir)); got != want {
			t.Errorf("%s exists: %v, want %v", dir, got, want)
		}
	}
}

func TestRemoveFolderLeavesWhatIsNotTheFleets(t *testing.T) {
	t.Parallel()
	mine := aState(t.TempDir())
	if err := mine.save(); err != nil {
		t.Fatal(err)
	}
	foreign := mine
	foreign.ID = newID()
	if err := removeFolder(foreign); err == nil || !exists(mine.Dir) {
		t.Errorf("another fleet's folder: %v, still there: %v", err, exists(mine.Dir))
	}
	plain := aState(t.TempDir())
	if err := removeFolder(plain); err != nil || !exists(plain.Dir) {
		t.Errorf("a folder without a fleet: %v, still there: %v", err, exists(plain.Dir))
	}
	for range 2 {
		if err := removeFolder(mine); err != nil || exists(mine.Dir) {
			t.Errorf("the fleet's own: %v, still there: %v", err, exists(mine.Dir))
		}
	}
}
