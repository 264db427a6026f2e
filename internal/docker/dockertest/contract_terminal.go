package dockertest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/runner"
)

func terminalTests() []contractTest {
	return []contractTest{
		{"StreamsAreOne", terminalStreams},
		{"LongLines", terminalLong},
		{"OpenLine", terminalOpen},
		{"FollowIsLive", terminalLive},
		{"SinceResumes", terminalSince},
	}
}

// terminal runs a program on a terminal to its end, and gives its log.
func (b *bench) terminal(run string, command ...string) []runner.Line {
	b.Helper()
	id := b.launch(b.container(run, runner.Spec{TTY: true, Command: command}))
	b.wait(id)
	return b.log(id, time.Time{})
}

func terminalStreams(b *bench) {
	lines := b.terminal("tty-both", "both", "3")
	b.wantTexts("stdout", texts(lines, runner.Stdout), "out 1", "err 1", "out 2", "err 2", "out 3", "err 3")
	if len(lines) != 6 {
		b.Errorf("got %d lines, want 6", len(lines))
	}
	b.wantTexts("empty lines", texts(b.terminal("tty-empty", "print", "", "a", "", ""), runner.Stdout), "", "a", "", "")
	b.wantTexts("a progress bar", texts(b.terminal("tty-progress", "bytes", `10%\r20%\nend\n`), runner.Stdout), "10%\r20%", "end")
}

// terminalLong: parts of 16 KiB stand in the log with nothing between them but a
// timestamp.
func terminalLong(b *bench) {
	for _, size := range []int{16383, 16384, 16385, 40_000, 65_536, 300_000} {
		lines := b.terminal(fmt.Sprint("tty-", size), "long", fmt.Sprint(size))
		if len(lines) != 1 || lines[0].Open || lines[0].Text != strings.Repeat("x", size) {
			b.Errorf("got %d lines, want one closed line of %d bytes", len(lines), size)
		}
	}
}

func terminalOpen(b *bench) {
	lines := b.terminal("tty-open", "noeol", "no end")
	if len(lines) != 1 || lines[0].Text != "no end" || !lines[0].Open {
		b.Errorf("got %+v, want one open line", lines)
	}
}

func terminalLive(b *bench) {
	id := b.launch(b.container("tty-live", runner.Spec{TTY: true, Command: []string{"sleep", "1m"}}))
	b.followUntil(id, "sleeping")
	b.stop(id, 0)
}

func terminalSince(b *bench) {
	id := b.launch(b.container("tty-since", runner.Spec{TTY: true, Command: []string{"lines", "10", "2ms"}}))
	b.wait(id)
	all := b.log(id, time.Time{})
	if len(all) != 10 {
		b.Fatalf("got %d lines, want 10", len(all))
	}
	b.wantTexts("from line 6 on", texts(b.log(id, all[5].Time), runner.Stdout), numbered("line", 10)[5:]...)
	full := errors.New("full")
	if err := b.Engine.Logs(b.ctx, id, time.Time{}, false, func(runner.Line) error { return full }); !errors.Is(err, full) {
		b.Errorf("Logs = %v, want emit's error", err)
	}
}
