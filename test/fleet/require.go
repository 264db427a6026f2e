package fleet

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs is what a fleet runs, apart from its images.
func programs() []string {
	return []string{"dockerd", "containerd", "runc", "docker-registry", "ip", "iptables", "nsenter", "unshare", "mount", "hostname"}
}

// require tells everything that keeps a fleet from starting here, at once.
func require() error {
	return missing(os.Geteuid() == 0, searchPath(), programs())
}

func missing(root bool, path string, programs []string) error {
	var lacks []string
	if !root {
		lacks = append(lacks, "the rights of root")
	}
	for _, p := range programs {
		if lookIn(path, p) == "" {
			lacks = append(lacks, p)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return errors.New("start a fleet: this machine lacks " + strings.Join(lacks, ", ") + "; as root on Debian, run: sh test/setup.sh")
}

// searchPath is PATH with the folders of system programs, which a shell
// opened by su does not have.
func searchPath() string {
	return strings.TrimPrefix(os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin", ":")
}

// lookIn finds a program in a search path; none is the empty string.
func lookIn(path, program string) string {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found
		}
	}
	return ""
}
