// Command program is what the images of a test fleet run: small, static, and
// made to show what an engine must bring across: lines, streams, exit codes,
// signals, environment.
//
//	program                      "program" and its version
//	program LINES [PAUSE_MS]     what the job of the Node image prints, where that is wanted and there is no Node
//	program print LINE...        each argument as a line
//	program lines N [PAUSE]      "line 1" … "line N", PAUSE between them
//	program count N [WIDTH]      the numbers 1 … N as fast as it can, padded with blanks to WIDTH
//	program paced N RATE WIDTH   N lines, RATE in a second, each with the time: see paced
//	program work DIR NAME N PAUSE CODE
//	                             a piece of work that proves that it was done once: see work
//	program both N               "out i" and "err i" by turns
//	program noeol TEXT           TEXT without a line feed
//	program long BYTES           one line of that many bytes
//	program bytes TEXT           TEXT as it is, with the escapes of a Go string: \r \xff \x00
//	program write PATH TEXT      leaves a file
//	program cat PATH             prints a file as it is
//	program exit CODE            ends with that code
//	program sleep DURATION       sleeps; at SIGTERM prints "terminated", ends with 7
//	program env                  the environment, sorted
//	program whoami               uid, gid, working directory
//	program facts                what its container gives it, a name and a value per line: see facts
//	program version              PROGRAM_VERSION
//	program oom                  takes memory until it is killed
//
// A call it does not understand ends with 64, as sysexits.h has it, which no
// test asks for.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	exitUsage      = 64
	exitTerminated = 7
	// versionVariable carries the image's version.
	versionVariable = "PROGRAM_VERSION"
)

func main() {
	p := program{out: os.Stdout, err: os.Stderr, env: os.Environ(), terminated: terminated}
	os.Exit(p.run(os.Args[1:]))
}

// terminated is asked for by the one verb that answers SIGTERM; under all
// others the signal ends the program, as it does most.
func terminated() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	return c
}

// program is one execution.
type program struct {
	out, err   io.Writer
	env        []string
	terminated func() <-chan os.Signal
}

// run does what the arguments say and gives the exit code.
func (p program) run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(p.out, "program", p.version())
		return 0
	}
	verb, args := args[0], args[1:]
	if verb == "print" {
		for _, a := range args {
			fmt.Fprintln(p.out, a)
		}
		return 0
	}
	verbs := map[string]func(a []string) (code int, err error){
		"lines":   p.lines,
		"count":   p.count,
		"both":    p.both,
		"paced":   p.paced,
		"work":    p.work,
		"bytes":   p.bytes,
		"write":   write,
		"cat":     p.cat,
		"facts":   p.facts,
		"noeol":   p.noeol,
		"long":    p.long,
		"exit":    number,
		"sleep":   p.sleep,
		"env":     p.environ,
		"whoami":  p.whoami,
		"version": func([]string) (int, error) { fmt.Fprintln(p.out, p.version()); return 0, nil },
		"oom":     oom,
	}
	do, ok := verbs[verb]
	if n, err := strconv.Atoi(verb); err == nil {
		do, ok = func(a []string) (int, error) { return p.job(n, a) }, true
	}
	if !ok {
		fmt.Fprintf(p.err, "program: no verb %q\n", verb)
		return exitUsage
	}
	code, err := do(args)
	if err != nil {
		fmt.Fprintf(p.err, "program: %s: %v\n", verb, err)
		return exitUsage
	}
	return code
}

func (p program) version() string {
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, versionVariable+"="); ok {
			return v
		}
	}
	return ""
}

func (p program) lines(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	var pause time.Duration
	if len(args) > 1 {
		if pause, err = time.ParseDuration(args[1]); err != nil {
			return 0, err
		}
	}
	for i := range n {
		if i > 0 {
			time.Sleep(pause)
		}
		fmt.Fprintln(p.out, "line", i+1)
	}
	return 0, nil
}

// job is what node/job.js does.
func (p program) job(n int, args []string) (int, error) {
	pause := 1000
	if len(args) > 0 {
		var err error
		if pause, err = number(args); err != nil {
			return 0, err
		}
	}
	for i := range n {
		fmt.Fprintf(p.out, "line %d of %d: job %s\n", i+1, n, p.version())
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	fmt.Fprintln(p.out, "done")
	return 0, nil
}

// count buffers what it prints: nothing writes lines faster.
func (p program) count(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	width := 0
	if len(args) > 1 {
		if width, err = number(args[1:]); err != nil {
			return 0, err
		}
	}
	out := bufio.NewWriterSize(p.out, 64<<10)
	line := make([]byte, 0, width+1)
	for i := range n {
		line = strconv.AppendInt(line[:0], int64(i)+1, 10)
		for len(line) < width {
			line = append(line, ' ')
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return 0, err
		}
	}
	return 0, out.Flush()
}

func (p program) both(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	for i := range n {
		fmt.Fprintln(p.out, "out", i+1)
		fmt.Fprintln(p.err, "err", i+1)
	}
	return 0, nil
}

func (p program) noeol(args []string) (int, error) {
	_, err := io.WriteString(p.out, strings.Join(args, " "))
	return 0, err
}

func (p program) long(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	_, err = p.out.Write(append(bytes.Repeat([]byte{'x'}, n), '\n'))
	return 0, err
}

func (p program) bytes(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("a text is missing")
	}
	text, err := strconv.Unquote(`"` + args[0] + `"`)
	if err != nil {
		return 0, err
	}
	_, err = io.WriteString(p.out, text)
	return 0, err
}

func write(args []string) (int, error) {
	if len(args) < 2 {
		return 0, errors.New("a path and a text are needed")
	}
	return 0, os.WriteFile(args[0], []byte(args[1]), 0o644)
}

func (p program) cat(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("a path is missing")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return 0, err
	}
	_, err = p.out.Write(data)
	return 0, err
}

func (p program) sleep(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("a duration is missing")
	}
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return 0, err
	}
	term := p.terminated()
	fmt.Fprintln(p.out, "sleeping") // from here on the signal is heard
	select {
	case <-time.After(d):
		return 0, nil
	case <-term:
		fmt.Fprintln(p.out, "terminated")
		return exitTerminated, nil
	}
}

func (p program) environ([]string) (int, error) {
	for _, e := range slices.Sorted(slices.Values(p.env)) {
		fmt.Fprintln(p.out, e)
	}
	return 0, nil
}

func (p program) whoami([]string) (int, error) {
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(p.out, "%d\n%d\n%s\n", os.Getuid(), os.Getgid(), dir)
	return 0, nil
}

// oom never returns where memory has a limit. It writes to every page: memory
// that is only reserved counts nothing.
func oom([]string) (int, error) {
	const block = 8 << 20
	for held := [][]byte{}; ; {
		b := make([]byte, block)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
}

// number reads the first argument.
func number(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("a number is missing")
	}
	n, err := strconv.ParseUint(args[0], 10, 31)
	return int(n), err
}
