package fleet

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs is what a fleet with these hosts runs, apart from its images.
func programs(hosts []HostOptions) []string {
	all := []string{"dockerd", "containerd", "runc", "docker-registry", "ip", "tc", "iptables", "nsenter", "unshare", "mount", "hostname"}
	if slices.ContainsFunc(hosts, func(h HostOptions) bool { return h.SSH }) {
		all = append(all, "sshd")
	}
	return all
}

// require tells everything that keeps a fleet from starting here, at once.
func require(hosts []HostOptions) error {
	if err := missing(os.Geteuid() == 0, searchPath(), programs(hosts)); err != nil {
		return err
	}
	return checkEngines(hosts)
}

func checkEngines(hosts []HostOptions) error {
	for _, h := range hosts {
		if err := h.Engine.check(); err != nil {
			return err
		}
	}
	return nil
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
