package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exitOverlap is the code of a piece of work that found another instance of
// itself alive.
const exitOverlap = 99

// work is a piece of work that can prove that it was executed once: as long as
// it lives it holds a lock on DIR/NAME, which the kernel takes back whatever
// ends it, and what it does stands in DIR/ledger, a line each:
//
//	start NAME HOSTNAME
//	end NAME HOSTNAME CODE
//	overlap NAME HOSTNAME
//
// It prints "out i" and "err i" by turns, N of each, with PAUSE between them, and
// ends with CODE, or with 7 at SIGTERM.
func (p program) work(args []string) (int, error) {
	const arguments = 5
	if len(args) < arguments {
		return 0, errors.New("a folder, a name, a number, a pause and a code are needed")
	}
	dir, name := args[0], args[1]
	n, err := number(args[2:])
	if err != nil {
		return 0, err
	}
	pause, err := time.ParseDuration(args[3])
	if err != nil {
		return 0, err
	}
	code, err := strconv.ParseUint(args[4], 10, 8)
	if err != nil {
		return 0, err
	}
	host, err := os.Hostname()
	if err != nil {
		return 0, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { _ = lock.Close() }() // nothing is in it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return exitOverlap, enter(dir, "overlap", name, host)
	}
	if err := enter(dir, "start", name, host); err != nil {
		return 0, err
	}
	ended := p.printBoth(n, pause, int(code))
	return ended, enter(dir, "end", name, host, strconv.Itoa(ended))
}

// printBoth gives the code that it was told, or that of a terminated program.
func (p program) printBoth(n int, pause time.Duration, code int) int {
	term := p.terminated()
	for i := range n {
		if i > 0 {
			select {
			case <-term:
				return exitTerminated
			case <-time.After(pause):
			}
		}
		fmt.Fprintln(p.out, "out", i+1)
		fmt.Fprintln(p.err, "err", i+1)
	}
	return code
}

// enter adds a line to the ledger, whole, whoever else does.
func enter(dir string, words ...string) error {
	f, err := os.OpenFile(filepath.Join(dir, "ledger"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(words, " ") + "\n")
	return errors.Join(err, f.Close())
}
