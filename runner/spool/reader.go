package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// damage tells where a log can't be read on.
type damage struct {
	run  string
	file string
	line int64
	gone bool // the file ends before the line
}

func (d *damage) Error() string {
	return fmt.Sprintf("read log of run %s: line %d is damaged or missing in %s", d.run, d.line, d.file)
}

// reader is one reading of a log. Between two segments, and while it waits, it
// holds neither a file nor a buffer.
type reader struct {
	dir, run string
	after    int64 // the number of the last line that w has
	w        func(chunk []byte) error

	// Where the next reading of a segment that still grows goes on.
	first, offset int64
}

// follow reads what find gives, and with wait what comes, until find says that
// no more does.
func (r *reader) follow(ctx context.Context, wait bool, find func(after int64) (seg segment, ok bool, changed <-chan struct{})) error {
	var gone int64
	for {
		seg, ok, changed := find(r.after)
		if !ok {
			if !wait || changed == nil {
				return ctx.Err()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			}
			continue
		}
		err := r.pass(ctx, seg)
		if errors.Is(err, errGone) && gone != seg.first {
			gone = seg.first // it was cut since find gave it
			continue
		}
		if err != nil {
			return err
		}
	}
}

// errGone tells that a segment has no file.
var errGone = errors.New("its file is gone")

// pass reads one segment, from where the last reading of it ended.
func (r *reader) pass(ctx context.Context, seg segment) error {
	if seg.cut != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		word, err := seg.word(r.after)
		if err != nil {
			return fmt.Errorf("read log of run %s: %w", r.run, err)
		}
		r.after = seg.last
		return r.w(word)
	}
	if r.first != seg.first {
		r.first, r.offset = seg.first, 0
	}
	f, err := r.open(seg)
	if err != nil {
		return fmt.Errorf("read log of run %s: %w", r.run, err)
	}
	defer f.Close()
	due := seg.first
	if r.offset > 0 {
		due = r.after + 1
	}
	due, err = r.lines(ctx, f, seg, due)
	if err == nil && seg.last != unbounded && due <= seg.last {
		err = &damage{run: r.run, file: seg.name(), line: due, gone: true}
	}
	return err
}

// open opens a segment at the reader's offset. Compress may have exchanged its
// file since the segment was listed.
func (r *reader) open(seg segment) (io.ReadCloser, error) {
	path := filepath.Join(r.dir, name(seg.first, openEnd))
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r.openPacked(seg)
	}
	if err != nil {
		return nil, err
	}
	return &bounded{io.NewSectionReader(f, r.offset, seg.size-r.offset), f.Close}, nil
}

func (r *reader) openPacked(seg segment) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(r.dir, name(seg.first, packedEnd)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	z, err := unpack(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := &bounded{io.LimitReader(z, seg.size-r.offset), func() error { z.Close(); return f.Close() }}
	if _, err := io.CopyN(io.Discard, z, r.offset); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// bounded is a file as far as its lines are to be read.
type bounded struct {
	io.Reader
	close func() error
}

func (b *bounded) Close() error { return b.close() }

// chunkSize is how much is read, and given to w, at a time; more where one line
// is longer.
const chunkSize = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// lines passes the lines of f to w, whose first has number due, and gives the
// number that would come next.
func (r *reader) lines(ctx context.Context, f io.Reader, seg segment, due int64) (int64, error) {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	buf, filled := chunk[:], 0
	for {
		n, err := f.Read(buf[filled:])
		filled += n
		if err != nil && !errors.Is(err, io.EOF) {
			return due, fmt.Errorf("read log of run %s: behind line %d: %w", r.run, due-1, err)
		}
		if ctx.Err() != nil {
			return due, ctx.Err()
		}
		// The last line of all has no line feed when a crash cut it short.
		whole := bytes.LastIndexByte(buf[:filled], '\n') + 1
		c := check(buf[:whole], due, seg.last, r.after)
		due += c.lines
		if err := r.give(buf[c.had:c.good], due-1); err != nil {
			return due, err
		}
		r.offset += int64(c.good)
		filled = copy(buf, buf[c.good:filled])
		switch {
		case due > seg.last || errors.Is(err, io.EOF) && c.good == whole && (filled == 0 || seg.last == unbounded):
			return due, nil
		case c.good < whole || errors.Is(err, io.EOF) || filled == len(buf) && !begins(buf, due):
			return due, &damage{run: r.run, file: seg.name(), line: due}
		case filled == len(buf):
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// give passes lines up to number last to w.
func (r *reader) give(b []byte, last int64) error {
	if len(b) == 0 {
		return nil
	}
	r.after = last
	return r.w(b)
}

// checked is what check found: how many bytes are good lines, how many of those
// the reader had already, and how many lines are good.
type checked struct {
	had, good int
	lines     int64
}

// check looks whether b, whole lines, has the numbers from due to last, as far
// as it can be seen without decoding: a disk that lost a block shows zeros.
func check(b []byte, due, last, after int64) (c checked) {
	zero := bytes.IndexByte(b, 0)
	for c.good < len(b) && due <= last {
		end := c.good + bytes.IndexByte(b[c.good:], '\n')
		if line := b[c.good:end]; !begins(line, due) || line[len(line)-1] != '}' || zero >= 0 && zero < end {
			return c
		}
		c.good = end + 1
		c.lines++
		if due <= after {
			c.had = c.good
		}
		due++
	}
	return c
}

// begins tells whether b is the beginning of the line of that number.
func begins(b []byte, due int64) bool {
	if len(b) < len(lineHead) || string(b[:len(lineHead)]) != lineHead {
		return false
	}
	n, size := number(b[len(lineHead):])
	end := len(lineHead) + size
	return size > 0 && n == due && end < len(b) && b[end] == ','
}

// eachEntry makes of fn, which gets entries, one that gets chunks.
func eachEntry(run string, fn func(Entry) error) func(chunk []byte) error {
	return func(chunk []byte) error {
		for line := range bytes.Lines(chunk) {
			e, err := decode(line[:len(line)-1])
			if err != nil {
				n, _ := number(line[len(lineHead):]) // check saw that there is one
				return fmt.Errorf("read log of run %s: line %d is damaged: %w", run, n, err)
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
}
