package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// console is where the reader sees what happens.
type console struct {
	out   io.Writer
	step  int
	plain bool // a pipe or a file: no colours
}

func newConsole(f *os.File) *console {
	return &console{out: f, plain: !term.IsTerminal(int(f.Fd()))}
}

// title begins a step.
func (c *console) title(text string) {
	c.step++
	fmt.Fprintf(c.out, "\n%s\n", c.bold(fmt.Sprintf("%d. %s", c.step, text)))
}

func (c *console) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// typed shows a command as the reader would type it.
func (c *console) typed(words ...string) {
	fmt.Fprintln(c.out, c.bold("$ "+strings.Join(words, " ")))
}

func (c *console) bold(text string) string {
	if c.plain {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// lastWords is how long a command may take to end after a signal.
const lastWords = 3 * time.Second

// run shows a command and runs it to its end on the reader's own terminal, so
// that it draws what it would draw there. When ctx ends it is asked to end:
// the signal may have been for the demo alone.
func (c *console) run(ctx context.Context, cmd *exec.Cmd, words ...string) error {
	c.typed(words...)
	cmd.Stderr = os.Stderr
	if cmd.Stdout == nil {
		cmd.Stdout = c.out
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = lastWords
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return nil
}

// runAndRead is run, and gives what the command printed as well.
func (c *console) runAndRead(ctx context.Context, cmd *exec.Cmd, words ...string) (string, error) {
	var printed bytes.Buffer
	cmd.Stdout = io.MultiWriter(c.out, &printed)
	err := c.run(ctx, cmd, words...)
	return printed.String(), err
}
