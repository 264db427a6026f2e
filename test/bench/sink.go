package main

import (
	"bytes"
	"fmt"
	"hash"
	"hash/crc32"
	"strconv"
	"time"
)

// sink reads what a program printed: how many lines, which text in all, and when
// the last of it came. What it does to a byte costs next to nothing, so that the
// one who writes is measured.
type sink struct {
	lines int
	last  time.Time
	sum   hash.Hash32
}

func newSink() *sink { return &sink{sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))} }

func (s *sink) Write(b []byte) (int, error) {
	s.lines += bytes.Count(b, []byte{'\n'})
	s.last = time.Now()
	return s.sum.Write(b)
}

// expect wants all lines of "program count", in their order.
func (s *sink) expect(n, width int) error {
	if s.lines != n {
		return fmt.Errorf("%d lines came of %d", s.lines, n)
	}
	want := newSink()
	line := make([]byte, 0, width+1)
	for i := range n {
		line = strconv.AppendInt(line[:0], int64(i)+1, 10)
		for len(line) < width {
			line = append(line, ' ')
		}
		if _, err := want.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if s.sum.Sum32() != want.sum.Sum32() {
		return fmt.Errorf("%d lines came, and not as they were printed", n)
	}
	return nil
}
