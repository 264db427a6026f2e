package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// server is the stream of lines that the program did not print.
const server = "prewarm"

// leastBound is the least that a log's bound can be: below it the segments
// would be smaller than their names are worth.
const leastBound = 32 << 10

// bound cuts the log in the middle when n more bytes would pass its bound: the
// first half of it stays, and of the rest the newest segments.
func (l *Log) bound(n int64) error {
	total := n
	for _, s := range l.segments {
		total += s.size
	}
	if l.max <= 0 || total <= l.max {
		return nil
	}
	from := l.head()
	to := from // the first segment that stays
	for to < len(l.segments)-1 && total > l.max {
		total -= l.segments[to].size
		to++
	}
	if to == from || to == from+1 && l.segments[from].cut != nil {
		return nil // the last segment is all that there is to cut
	}
	return l.cut(from, to)
}

// head gives the index of the first segment that may be cut.
func (l *Log) head() int {
	var size int64
	for i, s := range l.segments {
		size += s.size
		if s.cut != nil || size > l.max/2 {
			return i
		}
	}
	return len(l.segments)
}

// cut puts a word in the place of the segments from index from to before to.
// The word is there before the first of them goes; a crash in between is mended
// by the next Open.
func (l *Log) cut(from, to int) error {
	gone, next := l.segments[from:to], l.segments[to]
	if next.last < next.first {
		next = l.pending
	}
	first, last, texts := gone[0].first, gone[len(gone)-1].last, int64(0)
	for _, s := range gone {
		texts += s.texts
	}
	why := fmt.Sprintf("the log passed its bound of %s (runner.logs.cap, or log_cap of the run)", bytesText(l.max))
	word, err := l.writeCut(first, last, texts, "were cut: "+why, next.begin)
	if err != nil {
		return err
	}
	var names []string
	for _, s := range gone {
		if s.name() != word.name() { // it has replaced the word of an earlier cut
			names = append(names, s.name())
		}
	}
	l.show(func() {
		l.segments = append(append(append([]segment(nil), l.segments[:from]...), word), l.segments[to:]...)
		l.state.Cut = CutRange{First: first, Last: last, Bytes: texts}
	})
	for _, name := range names {
		delete(l.unsynced, name)
		if err := os.Remove(filepath.Join(l.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// writeCut writes the word that lines are not there, before a line of that time.
func (l *Log) writeCut(first, last, texts int64, why string, before time.Time) (segment, error) {
	e := Entry{Seq: last, Time: before.Add(-tick), Stream: server}
	e.Text = fmt.Sprintf(cutText, first, last, texts) + " " + why
	line, err := appendEntry(nil, e)
	if err != nil {
		return segment{}, err
	}
	path := filepath.Join(l.dir, name(first, cutEnd))
	f, err := l.open(path+draftEnd, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return segment{}, err
	}
	_, err = f.WriteAt(line, 0)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(path+draftEnd, path)
	}
	if err != nil {
		return segment{}, err
	}
	l.unsynced[filepath.Base(path)] = true
	l.folders = true
	return cutSegment(first, e, line), nil
}

// cutText tells a reader, and the next Open, what is gone.
const cutText = "lines %d to %d (%d bytes)"

// cutSegment is the segment of the word e, which line holds.
func cutSegment(first int64, e Entry, line []byte) segment {
	seg := segment{first: first, last: e.Seq, size: int64(len(line)), begin: e.Time, cut: line}
	var from, to int64
	if n, err := fmt.Sscanf(e.Text, cutText, &from, &to, &seg.texts); n < 3 || err != nil {
		seg.texts = 0
	}
	return seg
}

// word gives the line that stands for the lines that were cut, to a reader that
// has those up to number after: one that lags behind the cut meets it again as
// it grows, and had some of the lines itself. It is told what it skips.
func (s segment) word(after int64) ([]byte, error) {
	if after < s.first {
		return s.cut, nil
	}
	e, err := decode(bytes.TrimSuffix(s.cut, []byte("\n")))
	if err != nil {
		return nil, err
	}
	if _, why, ok := strings.Cut(e.Text, " bytes) "); ok { // how many these had is not known
		e.Text = fmt.Sprintf("lines %d to %d %s", after+1, s.last, why)
	}
	return appendEntry(nil, e)
}

// bytesText writes a number of bytes as people do.
func bytesText(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if size := int64(1) << (30 - 10*i); n >= size && n%size == 0 {
			return fmt.Sprintf("%d %s", n/size, unit)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
