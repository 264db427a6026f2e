package dockertest

import (
	"bytes"
	"context"
	"time"
	"unicode/utf8"

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

// add stores a line, as the engine's JSON keeps it: bytes that are no text are
// U+FFFD each. Within a container no two lines have one time while the
// clock stands, as on an engine whose clock is fine enough.
func (o *output) add(text []byte, open bool) {
	b, at := o.box, o.fake.now()
	log := &b.log
	if o.fake.away {
		log = &b.away
	}
	if n := len(*log); n > 0 && b.tick == o.fake.offset && !at.After((*log)[n-1].Time) {
		at = (*log)[n-1].Time.Add(time.Nanosecond)
	}
	b.tick = o.fake.offset
	*log = append(*log, runner.Line{Time: at, Stream: o.stream, Text: legible(text), Open: open})
}

func legible(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	return string([]rune(string(text)))
}

// Rotate drops the first n lines that the engine keeps of a container's log, as
// it does with the oldest file.
func (f *Fake) Rotate(id string, n int) {
	f.change(func() {
		if b := f.container(id); b != nil {
			n = min(n, len(b.log))
			b.log, b.cut = b.log[n:], b.cut+n
		}
	})
}

// Logs passes on the lines of a container from since on.
func (f *Fake) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	return f.calls(CallLogs, func() error { return f.logs(ctx, id, since, follow, emit) })
}

// LastLines passes on the last lines of a container.
func (f *Fake) LastLines(ctx context.Context, id string, n int, emit func(runner.Line) error) error {
	return f.calls(CallLogs, func() error {
		var last []runner.Line
		err := f.logs(ctx, id, time.Time{}, false, func(l runner.Line) error {
			if last = append(last, l); len(last) > n {
				last = last[1:]
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, l := range last {
			if err := emit(l); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *Fake) logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	what := "read the log of container " + id
	cuts := f.cutsSoFar()
	for read := 0; ; {
		var fresh []runner.Line
		var last bool
		err := f.until(ctx, what, func() (bool, error) {
			b, err := f.find(ctx, what, id)
			if err == nil && f.cuts != cuts {
				err = f.unreachable(what)
			}
			if err != nil {
				return false, err
			}
			read = max(read, b.cut)
			fresh = b.log[read-b.cut : len(b.log) : len(b.log)]
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

func (f *Fake) cutsSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cuts
}
