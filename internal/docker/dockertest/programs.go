package dockertest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// The exit codes that mean something to tests.
const (
	exitUsage      = 64
	exitTerminated = 7
	exitKilled     = 137
)

// Program is what a container executes; it gives the exit code. ctx ends when
// the container is killed, and a program should then return.
type Program func(ctx context.Context, p *Process) int

// Process is an execution of a Program.
type Process struct {
	// Args are the arguments after the program's name.
	Args []string
	// Env is the image's environment and the run's, as NAME=VALUE.
	Env []string
	// Spec is all of what was asked for.
	Spec runner.Spec
	// Stdout and Stderr end in the container's log.
	Stdout, Stderr io.Writer
	// Stopped is closed when the container gets its stop signal.
	Stopped <-chan struct{}

	fake     *Fake
	box      *box
	out, err *output
	stop     chan struct{}
	oom      bool
}

// version is the image's, in its environment.
const version = "fake"

func newProcess(f *Fake, b *box, args []string) *Process {
	p := &Process{
		Args: args, Spec: b.of.Spec, Env: environ(b.of),
		fake: f, box: b,
		out:  &output{fake: f, box: b, stream: runner.Stdout},
		err:  &output{fake: f, box: b, stream: runner.Stderr},
		stop: make(chan struct{}),
	}
	if p.Spec.TTY {
		p.err = p.out
	}
	p.Stdout, p.Stderr, p.Stopped = p.out, p.err, p.stop
	return p
}

// environ is the image's environment with the container's on top.
func environ(c runner.Container) []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PROGRAM_VERSION=" + version}
	if c.Spec.Scratch != nil {
		env = append(env, "TMPDIR="+c.Spec.Scratch.Target)
	}
	for _, e := range c.Env {
		name, _, _ := strings.Cut(e, "=")
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		env = append(env, e)
	}
	return env
}

// WriteFile leaves a file in the container, or in the volume that is mounted
// there.
func (p *Process) WriteFile(path string, data []byte) {
	p.fake.change(func() {
		files, name := p.fake.place(p.box, path)
		files[name] = slices.Clone(data)
	})
}

// ReadFile gives a file that a program wrote.
func (p *Process) ReadFile(path string) (data []byte, there bool) {
	p.fake.change(func() {
		var files map[string][]byte
		files, path = p.fake.place(p.box, path)
		data, there = files[path]
	})
	return slices.Clone(data), there
}

// terminate gives the stop signal, once. The caller holds the fake's lock.
func (p *Process) terminate() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
}

// builtin are the programs of the test image (test/fleet/program), in memory.
func builtin() map[string]Program {
	return map[string]Program{
		"": func(_ context.Context, p *Process) int {
			fmt.Fprintln(p.Stdout, "program", version)
			return 0
		},
		"print": func(_ context.Context, p *Process) int {
			for _, a := range p.Args {
				fmt.Fprintln(p.Stdout, a)
			}
			return 0
		},
		"noeol": func(_ context.Context, p *Process) int {
			fmt.Fprint(p.Stdout, strings.Join(p.Args, " "))
			return 0
		},
		"env": func(_ context.Context, p *Process) int {
			for _, e := range slices.Sorted(slices.Values(p.Env)) {
				fmt.Fprintln(p.Stdout, e)
			}
			return 0
		},
		"version": func(_ context.Context, p *Process) int {
			fmt.Fprintln(p.Stdout, version)
			return 0
		},
		"oom": func(_ context.Context, p *Process) int {
			p.out.fake.change(func() { p.oom = true })
			return exitKilled
		},
		"bytes": func(_ context.Context, p *Process) int {
			text, err := strconv.Unquote(`"` + p.arg(0) + `"`)
			if err != nil {
				return exitUsage
			}
			fmt.Fprint(p.Stdout, text)
			return 0
		},
		"write": func(_ context.Context, p *Process) int {
			p.WriteFile(p.arg(0), []byte(p.arg(1)))
			return 0
		},
		"cat":    cat,
		"count":  count,
		"lines":  lines,
		"both":   both,
		"long":   long,
		"exit":   func(_ context.Context, p *Process) int { return p.number(0) },
		"sleep":  sleep,
		"whoami": whoami,
	}
}

func lines(ctx context.Context, p *Process) int {
	var pause time.Duration
	if len(p.Args) > 1 {
		pause = p.duration(1)
	}
	for i := range p.number(0) {
		if i > 0 && !rest(ctx, pause) {
			return exitKilled
		}
		fmt.Fprintln(p.Stdout, "line", i+1)
	}
	return 0
}

// cat prints a file as it is.
func cat(_ context.Context, p *Process) int {
	data, there := p.ReadFile(p.arg(0))
	if !there {
		fmt.Fprintf(p.Stderr, "program: cat: no file %s\n", p.arg(0))
		return exitUsage
	}
	fmt.Fprintf(p.Stdout, "%s", data)
	return 0
}

// count prints numbers as fast as it can, at least so many bytes each.
func count(ctx context.Context, p *Process) int {
	for i := range p.number(0) {
		if ctx.Err() != nil {
			return exitKilled
		}
		fmt.Fprintf(p.Stdout, "%-*d\n", p.number(1), i+1)
	}
	return 0
}

func both(_ context.Context, p *Process) int {
	for i := range p.number(0) {
		fmt.Fprintln(p.Stdout, "out", i+1)
		fmt.Fprintln(p.Stderr, "err", i+1)
	}
	return 0
}

func long(_ context.Context, p *Process) int {
	fmt.Fprintln(p.Stdout, strings.Repeat("x", p.number(0)))
	return 0
}

func sleep(ctx context.Context, p *Process) int {
	fmt.Fprintln(p.Stdout, "sleeping")
	t := time.NewTimer(p.duration(0))
	defer t.Stop()
	select {
	case <-t.C:
		return 0
	case <-p.Stopped:
		fmt.Fprintln(p.Stdout, "terminated")
		return exitTerminated
	case <-ctx.Done():
		return exitKilled
	}
}

// whoami knows users by their numbers only, for it has no /etc/passwd.
func whoami(_ context.Context, p *Process) int {
	user, group, _ := strings.Cut(p.Spec.User, ":")
	for _, id := range []string{user, group} {
		if id == "" {
			id = "0"
		}
		fmt.Fprintln(p.Stdout, id)
	}
	dir := p.Spec.Workdir
	if dir == "" {
		dir = "/"
	}
	fmt.Fprintln(p.Stdout, dir)
	return 0
}

func unknown(name string) Program {
	return func(_ context.Context, p *Process) int {
		fmt.Fprintf(p.Stderr, "program: no verb %q\n", name)
		return exitUsage
	}
}

// rest waits for d; false tells that the container was killed.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// arg is an argument, empty where there is none.
func (p *Process) arg(i int) string {
	if i >= len(p.Args) {
		return ""
	}
	return p.Args[i]
}

// number is an argument that the test wrote: zero where it is no number.
func (p *Process) number(i int) int {
	if i >= len(p.Args) {
		return 0
	}
	n, err := strconv.Atoi(p.Args[i])
	if err != nil {
		return 0
	}
	return n
}

// duration is an argument that the test wrote: zero where it is none.
func (p *Process) duration(i int) time.Duration {
	if i >= len(p.Args) {
		return 0
	}
	d, err := time.ParseDuration(p.Args[i])
	if err != nil {
		return 0
	}
	return d
}
