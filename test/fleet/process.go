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

// process names one process for good: ids are used again, but never with the
// same start time. The zero process is none.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks from boot, field 22 of /proc/PID/stat
}

// self is the running program.
func self() (process, error) { return processOf(os.Getpid()) }

// processOf reads who has that id at this moment.
func processOf(pid int) (process, error) {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return process{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	start, _, err := parseStat(stat)
	if err != nil {
		return process{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	return process{PID: pid, Start: start}, nil
}

// parseStat reads start time and state from /proc/PID/stat. The second field,
// the name, may hold spaces and parentheses, so counting begins after the last
// parenthesis.
func parseStat(stat []byte) (start uint64, state byte, err error) {
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 20 {
		return 0, 0, fmt.Errorf("stat %q: too few fields", stat)
	}
	start, err = strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("stat %q: start time: %w", stat, err)
	}
	return start, f[0][0], nil
}

// alive tells whether the process still runs. One that has ended and only
// waits for its parent to notice does not count.
func (p process) alive() bool {
	if p.PID == 0 {
		return false
	}
	stat, err := os.ReadFile(procFile(p.PID, "stat"))
	if err != nil {
		return false
	}
	start, state, err := parseStat(stat)
	return err == nil && start == p.Start && state != 'Z' && state != 'X'
}

// name is what the process is called, cut off after 15 bytes; empty where it is
// gone.
func (p process) name() string {
	b, _ := os.ReadFile(procFile(p.PID, "comm")) // gone
	return strings.TrimSpace(string(b))
}

// signal sends sig to the process, and to no other: os.FindProcess takes a
// handle that stays with the process it found, which is compared only after.
// A process that is gone is no error.
func (p process) signal(sig syscall.Signal) error {
	h, err := os.FindProcess(p.PID)
	if err != nil {
		return fmt.Errorf("find process %d: %w", p.PID, err)
	}
	defer func() { _ = h.Release() }() // nothing waits for it
	if !p.alive() {
		return nil
	}
	if err := h.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// gone waits until the process has ended, and tells whether it did in time.
// It polls: the process may be the child of a program that has ended.
func (p process) gone(within time.Duration) bool {
	for deadline := time.Now().Add(within); p.alive(); time.Sleep(pollPause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// reaped waits until nothing has the process's id any more, which is later than
// gone, and tells whether that was so in time.
func (p process) reaped(within time.Duration) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(pollPause) {
		if there, err := processOf(p.PID); err != nil || there != p {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// pollPause is short against anything waited for here: an engine takes about
// two seconds to start and half a second to stop.
const pollPause = 20 * time.Millisecond

func procFile(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}
