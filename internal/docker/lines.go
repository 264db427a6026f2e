package docker

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/prewarm/prewarm/runner"
)

// lineLimit is the longest line that is joined of its parts; what is longer
// comes in pieces that are marked open.
const lineLimit = 1 << 20

// joiner makes lines of the frames of one stream.
type joiner struct {
	stream runner.Stream
	crlf   bool      // a terminal's: the line feeds have a carriage return before them
	parts  []byte    // what came without a line feed so far
	at     time.Time // of the first part
	joined bool      // parts is in use, be it empty
}

// add takes the text of one frame and emits the line that it completes. A line
// that came whole, as nearly all do, costs one allocation: its string.
func (j *joiner) add(at time.Time, text []byte, emit func(runner.Line) error) error {
	body, ended := bytes.CutSuffix(text, []byte{'\n'})
	if ended && !j.joined && len(body) <= lineLimit {
		if j.crlf {
			body = bytes.TrimSuffix(body, []byte{'\r'})
		}
		return emit(runner.Line{Time: at, Stream: j.stream, Text: string(body)})
	}
	if !j.joined {
		j.at, j.joined = at, true
	}
	for len(j.parts)+len(body) > lineLimit {
		n := lineLimit - len(j.parts)
		j.parts = append(j.parts, body[:n]...)
		body = body[n:]
		if err := j.piece(emit); err != nil {
			return err
		}
	}
	j.parts = append(j.parts, body...)
	if !ended {
		return nil
	}
	return j.flush(false, emit)
}

// piece emits a full buffer as an open line, up to the last character that is
// whole: a reader may decode the pieces one by one.
func (j *joiner) piece(emit func(runner.Line) error) error {
	cut := len(j.parts)
	for i := 1; i < utf8.UTFMax && i < cut; i++ {
		if b := j.parts[cut-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(j.parts[cut-i:]) {
				cut -= i
			}
			break
		}
	}
	line := runner.Line{Time: j.at, Stream: j.stream, Text: string(j.parts[:cut]), Open: true}
	j.parts = append(j.parts[:0], j.parts[cut:]...)
	return emit(line)
}

func (j *joiner) flush(open bool, emit func(runner.Line) error) error {
	if j.crlf && !open {
		j.parts = bytes.TrimSuffix(j.parts, []byte{'\r'})
	}
	line := runner.Line{Time: j.at, Stream: j.stream, Text: string(j.parts), Open: open}
	j.parts, j.joined = j.parts[:0], false
	return emit(line)
}

// close emits what never got a line feed.
func (j *joiner) close(emit func(runner.Line) error) error {
	if !j.joined {
		return nil
	}
	return j.flush(true, emit)
}

// stampReader cuts the timestamp off a frame. It remembers the last second
// that it parsed, for most lines share theirs with the one before.
type stampReader struct {
	second [secondLen]byte
	base   time.Time
}

// The engine writes times as 2006-01-02T15:04:05.000000000Z, and a space.
const (
	secondLen = len("2006-01-02T15:04:05")
	stampLen  = secondLen + len(".000000000Z")
)

// cut splits a payload into its time and its text.
func (r *stampReader) cut(payload []byte) (time.Time, []byte, error) {
	stamp, text, ok := bytes.Cut(payload, []byte{' '})
	if !ok {
		return time.Time{}, nil, fmt.Errorf("read a log frame: no timestamp in %.40q", payload)
	}
	if len(stamp) != stampLen || stamp[secondLen] != '.' || stamp[stampLen-1] != 'Z' {
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		if err != nil {
			return time.Time{}, nil, fmt.Errorf("read a log frame: %w", err)
		}
		return at.UTC(), text, nil
	}
	nanos := time.Duration(0)
	for _, c := range stamp[secondLen+1 : stampLen-1] {
		if c < '0' || c > '9' {
			return time.Time{}, nil, fmt.Errorf("read a log frame: no timestamp in %.40q", payload)
		}
		nanos = nanos*10 + time.Duration(c-'0')
	}
	if r.base.IsZero() || !bytes.Equal(r.second[:], stamp[:secondLen]) {
		base, err := time.Parse("2006-01-02T15:04:05", string(stamp[:secondLen]))
		if err != nil {
			return time.Time{}, nil, fmt.Errorf("read a log frame: %w", err)
		}
		copy(r.second[:], stamp)
		r.base = base
	}
	return r.base.Add(nanos), text, nil
}
