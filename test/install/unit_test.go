//go:build install

package install

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// maxExposure is what docs/install/debian.md says of the unit: systemd's own
// measure of what a service could do, from 0 to 10.
const maxExposure = 1.4

func TestUnit(t *testing.T) {
	unit := filepath.Join(root(t), "packaging", "systemd", "prewarm.service")
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security (sh test/setup.sh install brings it): %v\n%s", err, out)
	}
	found := regexp.MustCompile(`Overall exposure level for prewarm\.service: ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("systemd-analyze gives no level:\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > maxExposure {
		t.Errorf("the exposure is %s, want %.1f at most\n%s", found[1], maxExposure, out)
	}
}

// verify looks at the unit as it is installed, with the programs that it starts
// and the units that it names.
func verify(c *chroot) {
	c.t.Helper()
	// A minimal Debian has no systemd; these are this machine's.
	for _, unit := range []string{"sysinit", "basic", "shutdown", "multi-user", "network-online"} {
		if out, err := exec.CommandContext(c.t.Context(), "cp", "/lib/systemd/system/"+unit+".target", c.path("/lib/systemd/system/")).CombinedOutput(); err != nil {
			c.t.Fatalf("%v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(c.t.Context(), "systemd-analyze", "verify", "--man=no", "--root="+c.dir, "/lib/systemd/system/prewarm.service")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
		c.t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
