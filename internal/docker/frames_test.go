package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/runner"
)

var noon = time.Date(2025, 1, 2, 12, 0, 0, 7, time.UTC)

// frame is a payload as the engine frames it.
func frame(stream byte, payload string) string {
	header := []byte{stream, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[4:], uint32(len(payload)))
	return string(header) + payload
}

// printed is a frame of text, printed so long after noon.
func printed(stream byte, after time.Duration, text string) string {
	return frame(stream, noon.Add(after).Format("2006-01-02T15:04:05.000000000Z07:00")+" "+text)
}

// read parses a log and gives its lines.
func read(r io.Reader) (lines []runner.Line, err error) {
	err = readLog(r, false, func(l runner.Line) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

func line(stream runner.Stream, after time.Duration, text string) runner.Line {
	return runner.Line{Time: noon.Add(after), Stream: stream, Text: text}
}

func opened(l runner.Line) runner.Line {
	l.Open = true
	return l
}

func TestReadLog(t *testing.T) {
	t.Parallel()
	part := strings.Repeat("p", 16<<10)
	for _, c := range []struct {
		name, log string
		want      []runner.Line
	}{
		{"nothing", "", nil},
		{
			"two streams", printed(1, 0, "a\n") + printed(2, 1, "b\n") + printed(1, time.Hour, "c d\n"),
			[]runner.Line{line("stdout", 0, "a"), line("stderr", 1, "b"), line("stdout", time.Hour, "c d")},
		},
		{"empty lines", printed(1, 0, "\n") + printed(1, 1, "\n"), []runner.Line{line("stdout", 0, ""), line("stdout", 1, "")}},
		{"carriage return stays", printed(1, 0, "a\r\n"), []runner.Line{line("stdout", 0, "a\r")}},
		{
			"parts, with another stream between", printed(1, 0, part) + printed(2, 1, "x\n") + printed(1, 0, part) + printed(1, 0, "end\n"),
			[]runner.Line{line("stderr", 1, "x"), line("stdout", 0, part+part+"end")},
		},
		{"parts that end with nothing more", printed(1, 0, part) + printed(1, 0, "\n"), []runner.Line{line("stdout", 0, part)}},
		{
			"no line feed at the end", printed(1, 0, "a\n") + printed(2, 1, "b") + printed(1, 2, "c"),
			[]runner.Line{line("stdout", 0, "a"), opened(line("stdout", 2, "c")), opened(line("stderr", 1, "b"))},
		},
		{"a timestamp with an offset", frame(1, "2025-01-02T13:00:00.000000007+01:00 a\n"), []runner.Line{line("stdout", 0, "a")}},
		{
			"a frame that is longer than the read-ahead", printed(1, 0, strings.Repeat("l", 100<<10)+"\n"),
			[]runner.Line{line("stdout", 0, strings.Repeat("l", 100<<10))},
		},
	} {
		for how, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.log), "bytewise": iotest.OneByteReader(strings.NewReader(c.log)),
		} {
			got, err := read(r)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%s, %s: %v (-want +got):\n%.300s", c.name, how, err, diff)
			}
		}
	}
}

// TestReadLogDropsWhatIsTorn cuts a log at each of its bytes: what was whole is
// there, what was not is not, and only an end between frames is clean.
func TestReadLogDropsWhatIsTorn(t *testing.T) {
	t.Parallel()
	first := printed(1, 0, "first\n")
	log := first + printed(1, 1, "second\n")
	for cut := range len(log) {
		got, err := read(strings.NewReader(log[:cut]))
		wantLines := 0
		if cut >= len(first) {
			wantLines = 1
		}
		if clean := cut == 0 || cut == len(first); len(got) != wantLines || (err == nil) != clean {
			t.Fatalf("cut at %d: %d lines, %v; want %d, clean %v", cut, len(got), err, wantLines, clean)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: got %v, want io.ErrUnexpectedEOF", cut, err)
		}
	}
	broken := errors.New("connection reset")
	got, err := read(io.MultiReader(strings.NewReader(printed(1, 0, "begun")), iotest.ErrReader(broken)))
	if len(got) != 0 || !errors.Is(err, broken) {
		t.Errorf("a line that was begun: %v, %v; want nothing of it", got, err)
	}
}

func TestReadLogRefuses(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]string{
		"the engine's own error": frame(3, "Error grabbing logs: unexpected end of JSON\n"),
		"an unknown stream":      printed(7, 0, "a\n"),
		"stdin":                  printed(0, 0, "a\n"),
		"no timestamp":           frame(1, "hello\n"),
		"a bad timestamp":        frame(1, "2025-13-02T12:00:00.000000007Z a\n"),
		"a bad fraction":         frame(1, "2025-01-02T12:00:00.00000x007Z a\n"),
		"an empty frame":         frame(1, ""),
		"a giant frame":          string([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}),
	} {
		got, err := read(strings.NewReader(printed(1, 0, "good\n") + log))
		if err == nil || len(got) != 1 {
			t.Errorf("%s: %v, %v; want the good line and an error", name, got, err)
		}
	}
}

func TestReadLogEndsWithEmit(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	for _, log := range []string{printed(1, 0, "a\n"), printed(1, 0, "open")} {
		var own *emitError
		if err := readLog(strings.NewReader(log), false, func(runner.Line) error { return full }); !errors.As(err, &own) || !errors.Is(own.err, full) {
			t.Errorf("%q: got %v, want emit's error", log, err)
		}
	}
}

// FuzzReadLog: whatever comes, there is no panic, memory is bounded, and a log
// of whole frames gives back what was printed.
func FuzzReadLog(f *testing.F) {
	f.Add([]byte(printed(1, 0, "a\n")+printed(2, 1, "b")), "text\nwith lines")
	f.Add([]byte(frame(3, "error")), "")
	f.Add([]byte{1, 0, 0, 0, 0xff}, "\n\n")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		_, _ = read(bytes.NewReader(raw))

		var log strings.Builder
		for part := range strings.Lines(text) {
			log.WriteString(printed(1, 0, part))
		}
		lines, err := read(strings.NewReader(log.String()))
		if err != nil {
			t.Fatal(err)
		}
		if got := printedAgain(lines); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}

func BenchmarkReadLog(b *testing.B) {
	const n = 10_000
	for _, size := range []int{20, 100, 1000} {
		var log strings.Builder
		for i := range n {
			log.WriteString(printed(byte(1+i%2), time.Duration(i)*10*time.Microsecond, strings.Repeat("x", size)+"\n"))
		}
		raw := log.String()
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if err := readLog(strings.NewReader(raw), false, func(runner.Line) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// printedAgain is what lines look like when they are written out.
func printedAgain(lines []runner.Line) string {
	var all strings.Builder
	for _, l := range lines {
		all.WriteString(l.Text)
		if !l.Open {
			all.WriteByte('\n')
		}
	}
	return all.String()
}
