package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markVariable is set in the environment of everything that a fleet starts
// and inherited by what an engine starts in turn: containerd, shims, proxies.
const markVariable = "PREWARM_FLEET"

// mark says to what a process belongs: a fleet ("1a2b3c") or a part of it
// ("1a2b3c/etl-1"). A fleet's mark covers its parts. Containers have their own
// environment and are known by their control group instead, which derives
// from the mark too.
type mark string

// environ is the mark as an environment entry.
func (m mark) environ() string { return markVariable + "=" + string(m) }

// cgroup is the parent of the control groups of the part's containers.
func (m mark) cgroup() string { return "/prewarm-" + string(m) }

// covers tells whether a process with this environment and these control
// groups, as /proc shows them, belongs to m.
func (m mark) covers(environ, cgroup []byte) bool {
	value, ok := markOf(environ)
	return ok && (value == m || strings.HasPrefix(string(value), string(m)+"/")) || m.contains(cgroup)
}

// contains tells whether a process with these control groups is in a container
// of m.
func (m mark) contains(cgroup []byte) bool {
	return bytes.Contains(cgroup, []byte(":"+m.cgroup()+"/"))
}

// markOf finds the mark in an environment.
func markOf(environ []byte) (mark, bool) {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := strings.CutPrefix(string(entry), markVariable+"="); ok {
			return mark(value), true
		}
	}
	return "", false
}

// processes lists what runs under the mark.
func (m mark) processes() ([]process, error) { return processesThat(m.covers) }

// started lists what carries the mark itself, without its parts and containers:
// a daemon, and what it started.
func (m mark) started() ([]process, error) {
	return processesThat(func(environ, cgroup []byte) bool {
		value, ok := markOf(environ)
		return ok && value == m && !m.contains(cgroup)
	})
}

// processesThat lists the processes whose environment and control groups fit.
func processesThat(fits func(environ, cgroup []byte) bool) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// The identity is read first: were the id taken over in between, its
		// start time would not fit and the process would not be signalled.
		p, err := processOf(pid)
		if err != nil || !p.alive() {
			continue
		}
		environ, _ := os.ReadFile(procFile(pid, "environ")) // gone, or not ours to read
		cgroup, _ := os.ReadFile(procFile(pid, "cgroup"))   // the same
		if fits(environ, cgroup) {
			found = append(found, p)
		}
	}
	return found, nil
}

// killAll ends everything under the mark at once, as a power cut would. It
// looks again until nothing is found: a process may fork while it is killed.
func (m mark) killAll(within time.Duration) error {
	for deadline := time.Now().Add(within); ; time.Sleep(pollPause) {
		found, err := m.processes()
		if err != nil || len(found) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kill processes of %s: %v still run after %v", m, found, within)
		}
		var errs []error
		for _, p := range found {
			errs = append(errs, p.signal(syscall.SIGKILL))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("kill processes of %s: %w", m, err)
		}
	}
}
