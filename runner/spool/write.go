package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// flush writes the buffer behind the last byte that readers may see, so that
// after a failure the same bytes go to the same place, and then shows it.
func (l *Log) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	l.stuck = true
	if err := l.room(); err != nil {
		return fmt.Errorf("write log of run %s: %w", l.run, err)
	}
	end := l.segments[len(l.segments)-1].size
	if n, err := l.current.WriteAt(l.buf, end); err != nil {
		l.torn = true
		return fmt.Errorf("write log of run %s: %d of %d bytes: %w", l.run, n, len(l.buf), err)
	}
	l.stuck = false
	l.buf = l.buf[:0]
	if cap(l.buf) > 4*bufferSize {
		l.buf = nil // a very long line is no reason to keep that much
	}
	l.show(func() { l.segments[len(l.segments)-1].join(l.pending) })
	return nil
}

// show changes what readers see, and wakes them.
func (l *Log) show(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

// room makes place for the buffer: in a new segment where the last is full, and
// within the log's bound.
func (l *Log) room() error {
	n := int64(len(l.buf))
	if l.current != nil {
		size := l.segments[len(l.segments)-1].size
		if size > 0 && size+n > l.segment {
			if err := l.retire(); err != nil {
				return err
			}
		}
	}
	if l.current == nil {
		if err := l.begin(l.pending.first); err != nil {
			return err
		}
	}
	return l.bound(n)
}

// begin makes a segment for the lines from number first on.
func (l *Log) begin(first int64) error {
	f, err := l.open(filepath.Join(l.dir, name(first, openEnd)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	l.current, l.torn, l.folders = f, false, true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments, segment{first: first, last: first - 1})
	return nil
}

// retire takes leave of a full segment. It is brought to disk while the next
// one is written, and no further ahead than that is the log of its disk.
func (l *Log) retire() error {
	if err := l.mend(); err != nil {
		return err
	}
	l.settling.Wait()
	f := l.current
	l.current = nil
	if l.segment < leastSettled {
		l.unsynced[l.segments[len(l.segments)-1].name()] = true
		return f.Close()
	}
	l.settling.Go(func() { l.note(errors.Join(f.Sync(), f.Close())) })
	return nil
}

// mend cuts off what a write that failed may have left behind the lines: the
// same lines may come again in the next segment.
func (l *Log) mend() error {
	if !l.torn {
		return nil
	}
	if err := l.current.Truncate(l.segments[len(l.segments)-1].size); err != nil {
		return fmt.Errorf("cut off what a failed write left: %w", err)
	}
	l.torn = false
	return nil
}

// valid gives the text as a reader will get it.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
