package docker

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/prewarm/prewarm/runner"
)

// A terminal's log comes without frames: a timestamp and a space before each
// line, which ends in CRLF. A line over 16 KiB comes in parts of exactly that
// length with nothing between them but the same timestamp again (measured on
// 20.10 and 29).
const (
	rawPart   = 16 << 10
	rawPrefix = stampLen + 1
)

// readRaw parses the log of a container with a terminal, on which both streams
// are one. A clean end is one that the engine sent; it may be within a line.
func readRaw(body io.Reader, emit func(runner.Line) error) error {
	in := bufio.NewReaderSize(body, readAhead)
	var clock stampReader
	line := joiner{stream: runner.Stdout, crlf: true}
	for {
		part, err := nextPart(in)
		if errors.Is(err, io.EOF) && len(part) == 0 {
			return closeStreams([]joiner{line}, emit)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		at, text, err := clock.cut(part)
		if err != nil {
			return err
		}
		if err := line.add(at, text, emit); err != nil {
			return &emitError{err}
		}
		if _, err := in.Discard(len(part)); err != nil {
			return err
		}
	}
}

// nextPart gives a timestamp and the text behind it, up to and with the line
// feed, or 16 KiB of it. It holds until it is discarded. With io.EOF it is the
// last one, which no line feed ended.
func nextPart(in *bufio.Reader) ([]byte, error) {
	part, err := in.Peek(1)
	for err == nil {
		if part, err = in.Peek(min(in.Buffered(), rawPrefix+rawPart)); err != nil {
			break
		}
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			return part[:i+1], nil
		}
		if len(part) == rawPrefix+rawPart {
			return part, nil
		}
		part, err = in.Peek(len(part) + 1)
	}
	return part, err
}
