package dockertest

import (
	"bytes"
	"context"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// longest is the longest line that is not cut, as in internal/docker.
const longest = 1 << 20

// output is one stream of a process: an io.Writer that makes lines.
type output struct {
	fake   *Fake
	box    *box
	stream runner.Stream
	rest   []byte // without a line feed so far
}

// Write takes text as a program prints it. What a container prints after its
// end is lost.
func (o *output) Write(b []byte) (int, error) {
	o.fake.mu.Lock()
	defer o.fake.mu.Unlock()
	if o.box.ended {
		return len(b), nil
	}
	o.rest = append(o.rest, b...)
	for {
		line, rest, whole := bytes.Cut(o.rest, []byte{'\n'})
		switch {
		case len(line) > longest:
			o.add(line[:longest], true)
			o.rest = o.rest[longest:]
		case whole:
			o.add(line, false)
			o.rest = rest
		default:
			o.fake.wake()
			return len(b), nil
		}
	}
}

// close stores what never got a line feed. The caller holds the lock.
func (o *output) close() {
	if len(o.rest) > 0 {
		o.add(o.rest, true)
	}
	o.rest = nil
}

// add stores a line. Within a container no two lines have one time, as on an
// engine whose clock is fine enough.
func (o *output) add(text []byte, open bool) {
	at := time.Now().UTC().Round(0)
	if n := len(o.box.log); n > 0 && !at.After(o.box.log[n-1].Time) {
		at = o.box.log[n-1].Time.Add(time.Nanosecond)
	}
	o.box.log = append(o.box.log, runner.Line{Time: at, Stream: o.stream, Text: string(text), Open: open})
}

// Logs passes on the lines of a container from since on.
func (f *Fake) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	what := "read the log of container " + id
	for read := 0; ; {
		var fresh []runner.Line
		var last bool
		err := f.until(ctx, what, func() (bool, error) {
			b, err := f.find(ctx, what, id)
			if err != nil {
				return false, err
			}
			fresh = b.log[read:len(b.log):len(b.log)]
			last = !follow || !b.running() || f.stopping
			return last || len(fresh) > 0, nil
		})
		if err != nil {
			return err
		}
		read += len(fresh)
		for _, line := range fresh {
			if line.Time.Before(since) {
				continue
			}
			if err := emit(line); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}
