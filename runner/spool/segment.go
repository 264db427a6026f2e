package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is a file with some lines of a log, or the word that they were cut.
type segment struct {
	first, last int64 // numbers of its lines; last is before first while it has none
	size        int64 // bytes of its lines, unpacked
	texts       int64 // bytes of their texts
	begin       time.Time
	newest      time.Time // the latest time by the engine's clock; zero: none
	packed      bool      // it was read from a compressed file
	cut         []byte    // the line that stands for lines that were cut; nil: none were
}

// The ends of names. Before them is the number of the first line: so a number
// finds its segment without an index.
const (
	openEnd   = ".ndjson"
	packedEnd = ".ndjson.zst"
	cutEnd    = ".cut"
	draftEnd  = ".draft" // behind another one: nothing reads a file that is half written
)

func name(first int64, end string) string { return fmt.Sprintf("%020d%s", first, end) }

// parseName is the opposite of name; ok tells whether the name is one.
func parseName(s string) (first int64, end string, ok bool) {
	digits, _, _ := strings.Cut(s, ".")
	end = s[len(digits):]
	first, err := strconv.ParseInt(digits, 10, 64)
	ok = err == nil && first > 0 && len(digits) == 20 && slices.Contains([]string{openEnd, packedEnd, cutEnd}, end)
	return first, end, ok
}

// list gives the segments of a folder in order, and the names in it that are to
// be removed. A folder that is not there has none. What only reading tells (sizes,
// the last line of all) is unbounded.
func (s *Store) list(dir string) (list []segment, stale []string, err error) {
	s.names.Lock()
	all, err := os.ReadDir(dir)
	s.names.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, entry := range all {
		first, end, ok := parseName(entry.Name())
		seg := segment{first: first, last: unbounded, size: unbounded, packed: end == packedEnd}
		if ok && end == cutEnd {
			seg, ok = readCut(dir, first)
		}
		if !ok {
			stale = append(stale, entry.Name())
			continue
		}
		list = append(list, seg)
	}
	list, covered := settle(list)
	return list, append(stale, covered...), nil
}

// settle brings segments into order and takes out those that a crash left
// beside what replaced them: lines that were cut, a file that was compressed.
func settle(list []segment) (kept []segment, stale []string) {
	slices.SortStableFunc(list, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(rank(a), rank(b)))
	})
	for _, seg := range list {
		if n := len(kept); n > 0 {
			before := &kept[n-1]
			if seg.first == before.first || before.cut != nil && seg.first <= before.last {
				stale = append(stale, seg.name())
				continue
			}
			before.last = min(before.last, seg.first-1)
		}
		kept = append(kept, seg)
	}
	return kept, stale
}

// rank is lower for what replaces others of the same first line.
func rank(s segment) int {
	switch {
	case s.cut != nil:
		return 0
	case s.packed:
		return 1
	}
	return 2
}

func (s segment) name() string {
	switch {
	case s.cut != nil:
		return name(s.first, cutEnd)
	case s.packed:
		return name(s.first, packedEnd)
	}
	return name(s.first, openEnd)
}

// add takes a line into account that size bytes of the segment hold.
func (s *segment) add(e Entry, size int) {
	if s.last < s.first {
		s.begin = e.Time
	}
	s.last = e.Seq
	s.size += int64(size)
	s.texts += int64(len(e.Text))
	if e.EngineTime.After(s.newest) {
		s.newest = e.EngineTime
	}
}

// join takes the lines of next, which follow those of s, into s.
func (s *segment) join(next segment) {
	if s.last < s.first {
		s.begin = next.begin
	}
	s.last = next.last
	s.size += next.size
	s.texts += next.texts
	if next.newest.After(s.newest) {
		s.newest = next.newest
	}
}

// readCut reads the word that lines were cut; not ok: a crash of the machine
// left it unreadable.
func readCut(dir string, first int64) (seg segment, ok bool) {
	line, err := os.ReadFile(filepath.Join(dir, name(first, cutEnd)))
	if err != nil || bytes.IndexByte(line, '\n') != len(line)-1 {
		return segment{}, false
	}
	e, err := decode(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil || e.Seq < first {
		return segment{}, false
	}
	return cutSegment(first, e, line), true
}
