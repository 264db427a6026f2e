package docker

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/runner"
)

// raw is text on a terminal, printed so long after noon.
func raw(after time.Duration, text string) string {
	return noon.Add(after).Format("2006-01-02T15:04:05.000000000Z07:00") + " " + text
}

// readTTY parses a terminal's log, however it comes in.
func readTTY(log string, torn error) (lines []runner.Line, err error) {
	var in io.Reader = strings.NewReader(log)
	if torn != nil {
		in = io.MultiReader(in, iotest.ErrReader(torn))
	}
	err = readLog(iotest.HalfReader(in), true, func(l runner.Line) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

func TestReadRaw(t *testing.T) {
	t.Parallel()
	part := strings.Repeat("p", rawPart)
	for _, c := range []struct {
		name, log string
		want      []runner.Line
	}{
		{"nothing", "", nil},
		{"lines", raw(0, "a\r\n") + raw(1, "\r\n") + raw(time.Hour, "b c\r\n"), []runner.Line{line("stdout", 0, "a"), line("stdout", 1, ""), line("stdout", time.Hour, "b c")}},
		{"a bare line feed", raw(0, "a\n"), []runner.Line{line("stdout", 0, "a")}},
		{"one carriage return is the terminal's", raw(0, "10%\r20%\r\r\n"), []runner.Line{line("stdout", 0, "10%\r20%\r")}},
		{"an open line", raw(0, "a\r\n") + raw(1, "b"), []runner.Line{line("stdout", 0, "a"), opened(line("stdout", 1, "b"))}},
		{"an open line keeps its carriage return", raw(0, "99%\r"), []runner.Line{opened(line("stdout", 0, "99%\r"))}},
		{"parts", raw(0, part) + raw(0, part) + raw(0, "end\r\n") + raw(1, "x\r\n"), []runner.Line{line("stdout", 0, part+part+"end"), line("stdout", 1, "x")}},
		{"a part and no rest", raw(0, part) + raw(0, "\r\n"), []runner.Line{line("stdout", 0, part)}},
		{"a part that ends in the carriage return", raw(0, part[1:]+"\r") + raw(0, "\n"), []runner.Line{line("stdout", 0, part[1:])}},
		{"a full line that is no part", raw(0, part[2:]+"\r\n") + raw(1, "x\r\n"), []runner.Line{line("stdout", 0, part[2:]), line("stdout", 1, "x")}},
		{"an open part", raw(0, part), []runner.Line{opened(line("stdout", 0, part))}},
	} {
		got, err := readTTY(c.log, nil)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%.500s", c.name, err, diff)
		}
	}
}

// TestTornRawLog: what a broken connection left unfinished comes with the next
// read.
func TestTornRawLog(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{"", raw(1, "b"), raw(1, "")[:12], raw(1, strings.Repeat("p", rawPart)) + raw(1, "q")} {
		got, err := readTTY(raw(0, "a\r\n")+rest, io.ErrUnexpectedEOF)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 1 || got[0].Text != "a" {
			t.Errorf("%.40q: %d lines, %v; want one and the break", rest, len(got), err)
		}
	}
}

func TestRawLogThatIsNone(t *testing.T) {
	t.Parallel()
	for _, log := range []string{"no timestamp\r\n", raw(0, strings.Repeat("p", rawPart)) + "no timestamp\r\n", "x"} {
		if _, err := readTTY(log, nil); err == nil {
			t.Errorf("%.40q: no error", log)
		}
	}
}

func TestRawLogEndsWithEmit(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	for _, log := range []string{raw(0, "a\r\n"), raw(0, "a")} {
		err := readLog(strings.NewReader(log), true, func(runner.Line) error { return full })
		var own *emitError
		if !errors.As(err, &own) || !errors.Is(own.err, full) {
			t.Errorf("%q: %v, want emit's error", log, err)
		}
	}
}

func FuzzReadRaw(f *testing.F) {
	f.Add([]byte(raw(0, "a\r\n")), "text\nwith lines")
	f.Add([]byte(raw(0, strings.Repeat("x", rawPart))), "\n\n")
	f.Fuzz(func(t *testing.T, junk []byte, text string) {
		_, _ = readTTY(string(junk), nil)

		var log strings.Builder
		for l := range strings.Lines(text) {
			whole := l
			if body, ended := strings.CutSuffix(l, "\n"); ended {
				whole = body + "\r\n"
			}
			for part := range slices.Chunk([]byte(whole), rawPart) {
				log.WriteString(raw(0, string(part)))
			}
		}
		lines, err := readTTY(log.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := printedAgain(lines); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}
