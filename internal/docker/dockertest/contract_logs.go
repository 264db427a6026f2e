package dockertest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

func logTests() []contractTest {
	return []contractTest{
		{"FollowEndsWithTheContainer", followEnds},
		{"FollowIsLive", followLive},
		{"StreamsKeepTheirOrder", streamsOrder},
		{"SinceResumes", sinceResumes},
		{"EmptyLines", emptyLines},
		{"OpenLine", openLine},
		{"LongLineIsJoined", longLine},
		{"VeryLongLineComesInPieces", veryLongLine},
		{"EmitEnds", emitEnds},
		{"NothingPrinted", nothingPrinted},
		{"BytesComeAsTheyAre", bytesCome},
		{"LogOfAGoneContainer", goneLog},
		{"CountIsComplete", countComplete},
		{"LastLines", theLastLines},
	}
}

// followUntil follows a log until a line is seen, and leaves.
func (b *bench) followUntil(id, want string) {
	b.Helper()
	seen := errors.New("seen")
	err := b.Engine.Logs(b.ctx, id, time.Time{}, true, func(l runner.Line) error {
		if l.Text == want {
			return seen
		}
		return nil
	})
	if !errors.Is(err, seen) {
		b.Fatalf("Logs until %q: %v", want, err)
	}
}

func numbered(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s %d", prefix, i+1)
	}
	return all
}

func theLastLines(b *bench) {
	id := b.start("last", "both", "300")
	b.wait(id)
	var got []runner.Line
	err := b.Engine.LastLines(b.ctx, id, 100, func(l runner.Line) error {
		got = append(got, l)
		return nil
	})
	if err != nil || len(got) != 100 {
		b.Fatalf("LastLines: %d lines, %v", len(got), err)
	}
	for stream, prefix := range map[runner.Stream]string{runner.Stdout: "out", runner.Stderr: "err"} {
		lines := texts(got, stream)
		b.wantTexts("the end of "+prefix, lines, numbered(prefix, 300)[300-len(lines):]...)
	}
	left := errors.New("left")
	if err := b.Engine.LastLines(b.ctx, id, 100, func(runner.Line) error { return left }); !errors.Is(err, left) {
		b.Errorf("LastLines ends with %v, want emit's error", err)
	}
}

func followEnds(b *bench) {
	id := b.start("follow", "lines", "20", "5ms")
	var got []runner.Line
	err := b.Engine.Logs(b.ctx, id, time.Time{}, true, func(l runner.Line) error {
		got = append(got, l)
		return nil
	})
	if err != nil {
		b.Fatalf("Logs: %v", err)
	}
	b.wantTexts("followed", texts(got, runner.Stdout), numbered("line", 20)...)
	for i, l := range got {
		if l.Time.IsZero() || l.Open || (i > 0 && !l.Time.After(got[i-1].Time)) {
			b.Errorf("line %d is %+v: want it closed and later than the one before", i, l)
		}
	}
	b.wantTexts("read again", texts(b.log(id, time.Time{}), runner.Stdout), numbered("line", 20)...)
}

func followLive(b *bench) {
	id := b.start("live", "sleep", "1m")
	b.followUntil(id, "sleeping") // else it blocks for a minute, and the test with it
	b.stop(id, 0)
}

func streamsOrder(b *bench) {
	id := b.start("both", "both", "500")
	b.wait(id)
	lines := b.log(id, time.Time{})
	b.wantTexts("stdout", texts(lines, runner.Stdout), numbered("out", 500)...)
	b.wantTexts("stderr", texts(lines, runner.Stderr), numbered("err", 500)...)
}

func sinceResumes(b *bench) {
	id := b.start("since", "lines", "10", "2ms")
	b.wait(id)
	all := b.log(id, time.Time{})
	if len(all) != 10 {
		b.Fatalf("got %d lines, want 10", len(all))
	}
	b.wantTexts("from line 6 on", texts(b.log(id, all[5].Time), runner.Stdout), numbered("line", 10)[5:]...)
	b.wantTexts("after all", texts(b.log(id, all[9].Time.Add(1)), runner.Stdout))
}

func emptyLines(b *bench) {
	b.wantTexts("log", b.output("empty", runner.Spec{Command: []string{"print", "", "a", "", ""}}), "", "a", "", "")
}

func openLine(b *bench) {
	id := b.start("open", "noeol", "no end")
	b.wait(id)
	lines := b.log(id, time.Time{})
	if len(lines) != 1 || lines[0].Text != "no end" || !lines[0].Open {
		b.Errorf("got %+v, want one open line", lines)
	}
}

func longLine(b *bench) {
	const size = 300_000 // 19 parts of 16 KiB
	id := b.start("long", "long", fmt.Sprint(size))
	b.wait(id)
	lines := b.log(id, time.Time{})
	if len(lines) != 1 || lines[0].Open || lines[0].Text != strings.Repeat("x", size) {
		b.Errorf("got %d lines, want one closed line of %d bytes", len(lines), size)
	}
}

func veryLongLine(b *bench) {
	const size = 2*longest + 500
	id := b.start("verylong", "long", fmt.Sprint(size))
	b.wait(id)
	lines := b.log(id, time.Time{})
	if len(lines) != 3 {
		b.Fatalf("got %d pieces, want 3", len(lines))
	}
	for i, want := range []int{longest, longest, 500} {
		if got := lines[i]; len(got.Text) != want || got.Open != (i < 2) {
			b.Errorf("piece %d: %d bytes, open %v; want %d, %v", i, len(got.Text), got.Open, want, i < 2)
		}
	}
}

func emitEnds(b *bench) {
	id := b.start("full", "lines", "1000")
	b.wait(id)
	full := errors.New("disk full")
	n := 0
	err := b.Engine.Logs(b.ctx, id, time.Time{}, true, func(runner.Line) error {
		if n++; n == 3 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || n != 3 {
		b.Errorf("Logs = %v after %d lines, want emit's error after 3", err, n)
	}
}

func nothingPrinted(b *bench) {
	id := b.start("silent", "exit", "0")
	b.wait(id)
	if lines := b.log(id, time.Time{}); len(lines) != 0 {
		b.Errorf("got %+v, want nothing", lines)
	}
}

// bytesCome: carriage returns and bytes that are no text are the runner's to
// interpret.
func bytesCome(b *bench) {
	id := b.start("bytes", "bytes", `10%\r20%\r\n\xff\xfe\ttab\x00nul\n`)
	b.wait(id)
	b.wantTexts("log", texts(b.log(id, time.Time{}), runner.Stdout), "10%\r20%\r", wellFormed("\xff\xfe")+"\ttab\x00nul")
}

// wellFormed is what an engine's JSON makes of bytes that are no text.
func wellFormed(s string) string { return strings.Repeat("\ufffd", len(s)) }

func goneLog(b *bench) {
	id := b.start("gone", "print", "x")
	b.wait(id)
	b.remove(id)
	for _, follow := range []bool{false, true} {
		err := b.Engine.Logs(b.ctx, id, time.Time{}, follow, func(runner.Line) error { return nil })
		b.wantCode("Logs of a container that is gone", err, problem.ContainerLost)
	}
}

// countComplete: a fast writer's lines are all there, each once. A log that is
// followed may end clean before its end (20.10: after 15,831 of these lines, once
// in many runs), so what is followed need only be its beginning; what is read
// after the exit is all of it.
func countComplete(b *bench) {
	const n, width = 50_000, 60
	id := b.start("count", "count", fmt.Sprint(n), fmt.Sprint(width))
	counted := func(follow bool) int {
		next := 1
		err := b.Engine.Logs(b.ctx, id, time.Time{}, follow, func(l runner.Line) error {
			if want := fmt.Sprintf("%-*d", width, next); l.Text != want {
				return fmt.Errorf("line %d is %q", next, l.Text)
			}
			next++
			return nil
		})
		if err != nil {
			b.Errorf("Logs, follow %v, after %d lines: %v", follow, next-1, err)
		}
		return next - 1
	}
	if got := counted(true); got < n {
		b.Logf("the log that was followed ended clean after %d of %d lines", got, n)
	}
	b.wait(id)
	if got := counted(false); got != n {
		b.Errorf("read %d lines after the exit, want %d", got, n)
	}
}
