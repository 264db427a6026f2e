package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// statusFacts are lines of /proc/self/status that tell what a process may do.
var statusFacts = map[string]string{"CapEff:": "caps", "NoNewPrivs:": "nonewprivs", "Seccomp:": "seccomp"}

// facts prints what the container gives to the program: uid, gid, groups,
// hostname, pid, nofile (the hard limit of open files, to which Go raises the
// soft one), caps (effective, in hexadecimal), nonewprivs, seccomp, and for each
// mount "mount TARGET TYPE OPTIONS".
func (p program) facts([]string) (int, error) {
	host, err := os.Hostname()
	if err != nil {
		return 0, err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return 0, err
	}
	slices.Sort(groups)
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, err
	}
	fmt.Fprintf(p.out, "uid %d\ngid %d\ngroups %s\nhostname %s\npid %d\nnofile %d\n",
		os.Getuid(), os.Getgid(), strings.Trim(fmt.Sprint(groups), "[]"), host, os.Getpid(), files.Max)
	if err := eachLine("/proc/self/status", func(fields []string) {
		if name, wanted := statusFacts[fields[0]]; wanted && len(fields) > 1 {
			fmt.Fprintln(p.out, name, fields[1])
		}
	}); err != nil {
		return 0, err
	}
	return 0, eachLine("/proc/self/mounts", func(fields []string) {
		if len(fields) > 3 {
			fmt.Fprintln(p.out, "mount", fields[1], fields[2], fields[3])
		}
	})
}

// eachLine gives the fields of the lines of a file that are not empty.
func eachLine(path string, do func(fields []string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 {
			do(fields)
		}
	}
	return lines.Err()
}
