package docker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/prewarm/prewarm/runner"
)

// A log comes in frames: a header of eight bytes (the stream, three zeros, the
// length in big endian) and a payload: a timestamp, a space, the text. Lines
// over 16 KiB come in several frames under the same timestamp, of which only
// the last ends in a line feed.
const (
	frameHeader = 8
	// frameLimit bounds what a length in a header can make us buffer. The
	// engine's own limit is 16 KiB and a timestamp.
	frameLimit = 4 << 20
	// readAhead holds a full frame, so that nearly all are parsed in place.
	readAhead = 64 << 10

	streamStdout = 1
	streamStderr = 2
	streamDaemon = 3 // not the container's: the engine's own error, in band
)

// emitError is an error of the reader's emit, as against one of the log.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

// readLog parses a log until its end. It returns nil only at a clean end; what a
// broken connection left unfinished is dropped.
func readLog(body io.Reader, tty bool, emit func(runner.Line) error) error {
	if tty {
		return readRaw(body, emit)
	}
	return readFrames(body, emit)
}

// readFrames parses the log of a container without a terminal, whose clean end
// is one between two frames.
func readFrames(body io.Reader, emit func(runner.Line) error) error {
	frames := frameReader{in: bufio.NewReaderSize(body, readAhead)}
	var clock stampReader
	streams := [...]joiner{streamStdout: {stream: runner.Stdout}, streamStderr: {stream: runner.Stderr}}
	for {
		stream, payload, err := frames.next()
		switch {
		case errors.Is(err, io.EOF):
			return closeStreams(streams[streamStdout:], emit)
		case err != nil:
			return err
		case stream == streamDaemon:
			return fmt.Errorf("the engine could not read the log: %s", strings.TrimSpace(string(payload)))
		case stream != streamStdout && stream != streamStderr:
			return fmt.Errorf("read a log frame: there is no stream %d", stream)
		}
		at, text, err := clock.cut(payload)
		if err != nil {
			return err
		}
		if err := streams[stream].add(at, text, emit); err != nil {
			return &emitError{err}
		}
	}
}

// closeStreams emits what was left without a line feed at a clean end.
func closeStreams(streams []joiner, emit func(runner.Line) error) error {
	for i := range streams {
		if err := streams[i].close(emit); err != nil {
			return &emitError{err}
		}
	}
	return nil
}

// frameReader takes a log apart into frames.
type frameReader struct {
	in   *bufio.Reader
	done int    // bytes of the last frame, still in the reader's buffer
	long []byte // for a frame that is longer than that buffer
}

// next gives a frame; its payload holds until the call after. io.EOF is the
// clean end, io.ErrUnexpectedEOF one within a frame.
func (r *frameReader) next() (stream byte, payload []byte, err error) {
	if _, err := r.in.Discard(r.done); err != nil {
		return 0, nil, err
	}
	r.done = 0
	header, err := r.in.Peek(frameHeader)
	if err != nil {
		return 0, nil, torn(err, len(header))
	}
	stream = header[0]
	size := int64(binary.BigEndian.Uint32(header[4:]))
	if size > frameLimit {
		return 0, nil, fmt.Errorf("read a log frame: %d bytes are more than the limit of %d: this is no log of an engine", size, frameLimit)
	}
	n := int(size)
	if frameHeader+n > r.in.Size() {
		payload, err = r.readLong(n)
		return stream, payload, err
	}
	frame, err := r.in.Peek(frameHeader + n)
	if err != nil {
		return 0, nil, torn(err, len(frame))
	}
	r.done = len(frame)
	return stream, frame[frameHeader:], nil
}

func (r *frameReader) readLong(n int) ([]byte, error) {
	if _, err := r.in.Discard(frameHeader); err != nil {
		return nil, err
	}
	if cap(r.long) < n {
		r.long = make([]byte, n)
	}
	read, err := io.ReadFull(r.in, r.long[:n])
	if err != nil {
		return nil, torn(err, frameHeader+read)
	}
	return r.long[:n], nil
}

// torn tells an end between frames from one within.
func torn(err error, read int) error {
	if errors.Is(err, io.EOF) && read > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}
