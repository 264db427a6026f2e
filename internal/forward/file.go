package forward

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// stream writes lines to something that takes bytes.
type stream struct {
	w    io.Writer
	sent int // bytes of the next line that were written already
}

func (s *stream) write(_ context.Context, lines []line) (int, error) {
	var b bytes.Buffer
	for _, l := range lines {
		b.Write(l.body)
	}
	n, err := s.w.Write(b.Bytes()[s.sent:])
	var done int
	done, s.sent = written(lines, s.sent+n)
	return done, err
}

func (s *stream) close() error { return nil }

// written tells how many of some lines are complete after so many bytes, and
// how many bytes there are of the next one.
func written(lines []line, n int) (done, rest int) {
	for done < len(lines) && n >= len(lines[done].body) {
		n -= len(lines[done].body)
		done++
	}
	return done, n
}

// file appends to a path, whatever file is there.
type file struct {
	path string
	look time.Duration // how often to look whether it is still the same file

	f      *os.File
	looked time.Time
	stream stream
}

func (f *file) write(ctx context.Context, lines []line) (int, error) {
	if f.f == nil || time.Since(f.looked) >= f.look {
		if err := f.follow(); err != nil {
			return 0, err
		}
	}
	return f.stream.write(ctx, lines)
}

// follow opens the file at the path, unless it is open already. A line that was
// cut in the old file is written to the new one as a whole.
func (f *file) follow() error {
	f.looked = time.Now()
	if f.f != nil && f.same() {
		return nil
	}
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	_ = f.close() // of one that was moved away; each write told of its own failure
	f.f, f.stream = opened, stream{w: opened}
	return nil
}

func (f *file) same() bool {
	there, err := os.Stat(f.path)
	if err != nil {
		return false
	}
	open, err := f.f.Stat()
	return err == nil && os.SameFile(there, open)
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
