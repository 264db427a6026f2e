// Command demo shows Prewarm's main job on this machine, from the push of an
// image to a task that runs on it, on three real Docker hosts and a real
// registry (see test/fleet). It takes half a minute, prints each command as one
// would type it, and leaves nothing behind.
//
//	go run ./test/demo             or: make demo
//	go run ./test/demo --keep      leaves all running to try commands, until Enter
//	go run ./test/demo --small     with a small Go program instead of Node
//
// Who gets which signal: the demo and the command that it shows are the
// terminal's foreground group, so Ctrl-C reaches both; the command ends as it
// would without the demo, and the demo then takes everything down. Engines,
// registry and server are in groups of their own and hear of a Ctrl-C only what
// the demo tells them.
//
// It needs root and what test/setup.sh installs. It ends with 0, with 1 and the
// reason if something failed, and with 128 and its number after a signal, as a
// shell has it: 130 after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	keep  bool
	small bool
}

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs the demo and gives the program's exit code.
func execute(args []string) int {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.BoolVar(&o.keep, "keep", false, "leave all running until Enter or Ctrl-C")
	flags.BoolVar(&o.small, "small", false, "use a small Go program as the image, not Node")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "demo: it takes no arguments: %q\n", flags.Args())
		return 2
	}
	if _, err := exec.LookPath("node"); err != nil {
		o.small = true
	}
	ctx, stop := interruptible(context.Background())
	defer stop()
	return play(ctx, o)
}

// play shows all and takes it down, however far it came.
func play(ctx context.Context, o options) int {
	begin := time.Now()
	d := &demo{options: o, console: newConsole(os.Stdout)}
	err := d.show(ctx)
	var s interrupted
	switch {
	case errors.As(context.Cause(ctx), &s):
		d.say("\n%s: taking everything down", s)
	case err != nil:
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		d.say("taking everything down")
	default:
		d.title("Everything is taken down again")
	}
	if downErr := d.takeDown(); downErr != nil {
		fmt.Fprintf(os.Stderr, "demo: not everything was taken down: %v\n", downErr)
		return 1
	}
	d.say("nothing is left running; it took %s", time.Since(begin).Round(time.Second))
	switch {
	case s.signal != 0:
		return 128 + int(s.signal)
	case err != nil:
		return 1
	}
	return 0
}

// interrupted is why a context ended: the signal that came first.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return i.signal.String() }

// interruptible gives a context that the first signal ends. Later ones are
// swallowed: whoever presses Ctrl-C twice still wants everything taken down.
// A closed pipe is taken for a signal, too: else the first line that nobody
// reads would end the demo on the spot.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	go func() {
		select {
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			cancel(interrupted{signal: number})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
