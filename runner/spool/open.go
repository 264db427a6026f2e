package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Open begins the log of a run, or goes on with the one that an earlier life of
// the process left, behind its last whole line. Above limit bytes the log is cut
// in the middle; 0: it never is. A run has one open Log at a time.
func (s *Store) Open(run string, limit int64) (*Log, error) {
	dir, err := s.folder(run)
	if err != nil {
		return nil, err
	}
	l := &Log{dir: dir, run: run, segment: s.segment, open: s.open, unsynced: map[string]bool{}, changed: make(chan struct{})}
	if limit > 0 {
		l.max = max(limit, leastBound)
		l.segment = min(l.segment, l.max/8)
	}
	if err := l.load(s); err != nil {
		return nil, fmt.Errorf("open log of run %s: %w", run, err)
	}
	return l, nil
}

// load finds out what an earlier life left.
func (l *Log) load(s *Store) error {
	l.folders = true // an earlier life may not have come to it
	if err := os.Mkdir(l.dir, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	list, stale, err := s.list(l.dir)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(l.dir, name)); err != nil {
			return err
		}
	}
	if list, err = l.scanLast(list); err != nil {
		return err
	}
	for i := range list {
		if err := l.adopt(list[i], i == len(list)-1); err != nil {
			return err
		}
	}
	return l.goOn()
}

// scanLast looks for the last whole line, removes the segments behind it, and
// leaves the segment that has it as the last.
func (l *Log) scanLast(list []segment) ([]segment, error) {
	for len(list) > 0 {
		seg := &list[len(list)-1]
		if seg.cut != nil {
			e, err := decode(bytes.TrimSuffix(seg.cut, []byte("\n")))
			l.state.Last = e
			return list, err
		}
		seg.last = unbounded
		err := l.scan(seg, func(e Entry) { l.state.Last = e })
		var d *damage
		if err != nil && !errors.As(err, &d) { // damage here is what a crash left of a line
			return nil, err
		}
		if seg.last >= seg.first {
			return list, nil
		}
		if err := os.Remove(filepath.Join(l.dir, seg.name())); err != nil {
			return nil, err
		}
		list = list[:len(list)-1]
	}
	return nil, nil
}

// scan finds out what the lines of a segment tell, and passes them to fn.
func (l *Log) scan(seg *segment, fn func(Entry)) error {
	found := segment{first: seg.first, last: seg.first - 1, packed: seg.packed}
	r := &reader{dir: l.dir, run: l.run, after: seg.first - 1}
	r.w = func(chunk []byte) error {
		for line := range bytes.Lines(chunk) {
			e, err := decode(line[:len(line)-1])
			if err != nil {
				return &damage{run: l.run, file: found.name(), line: found.last + 1}
			}
			found.add(e, len(line))
			fn(e)
		}
		return nil
	}
	err := r.pass(context.Background(), *seg)
	*seg = found
	return err
}

// adopt takes a segment in. One before the last that is damaged stays as it is:
// a reader is told of it.
func (l *Log) adopt(seg segment, last bool) error {
	bound := seg.last
	if seg.cut == nil {
		l.unsynced[seg.name()] = true
	}
	if seg.cut == nil && !last {
		err := l.scan(&seg, func(Entry) {})
		var d *damage
		if err != nil && !errors.As(err, &d) {
			return err
		}
		if d != nil && !d.gone {
			seg.last = bound
		}
	}
	if due := l.next(); seg.first > due {
		if err := l.missing(due, seg); err != nil {
			return err
		}
	}
	l.segments = append(l.segments, seg)
	l.state.Lines = seg.last
	l.state.Bytes += seg.texts
	if seg.cut != nil {
		l.state.Cut = CutRange{First: seg.first, Last: seg.last, Bytes: seg.texts}
	}
	return nil
}

// next is the number of the line behind all segments.
func (l *Log) next() int64 {
	if n := len(l.segments); n > 0 {
		return l.segments[n-1].last + 1
	}
	return 1
}

// missing puts a word into the hole before seg. The machine crashed before the
// one that was there was on disk, or somebody removed files.
func (l *Log) missing(first int64, seg segment) error {
	before := seg.begin
	if before.IsZero() { // it is damaged from its beginning on
		before = l.state.Last.Time
	}
	word, err := l.writeCut(first, seg.first-1, 0, "are missing: they were cut, or their files were lost", before)
	if err != nil {
		return err
	}
	l.segments = append(l.segments, word)
	l.state.Cut = CutRange{First: word.first, Last: word.last}
	return nil
}

// goOn opens the last segment for writing and cuts off what is no whole line.
func (l *Log) goOn() error {
	n := len(l.segments)
	if n == 0 || l.segments[n-1].cut != nil || l.segments[n-1].packed {
		return nil
	}
	f, err := l.open(filepath.Join(l.dir, l.segments[n-1].name()), os.O_WRONLY)
	if err != nil {
		return err
	}
	if err := f.Truncate(l.segments[n-1].size); err != nil {
		return errors.Join(err, f.Close())
	}
	l.current = f
	return nil
}
