package main

import (
	"bufio"
	"errors"
	"strconv"
	"time"
)

// How often paced writes what is due: where lines are many, often enough that they
// don't come in heaps that would look like a lag; else seldom enough that hundreds
// of such programs leave the machine to others.
const (
	pacedTick = 2 * time.Millisecond
	pacedRest = 50 * time.Millisecond
	pacedMany = 1000 // lines in a second
)

// paced prints N lines, RATE of them in a second, padded with blanks to WIDTH:
// each is its number and the time at which it was written, in nanoseconds since
// 1970, so that a reader on this machine knows how far behind it is.
func (p program) paced(args []string) (int, error) {
	const arguments = 3
	var values [arguments]int
	if len(args) < arguments {
		return 0, errors.New("a number, a rate and a width are needed")
	}
	for i := range values {
		v, err := number(args[i:])
		if err != nil {
			return 0, err
		}
		values[i] = v
	}
	n, rate, width := values[0], values[1], values[2]
	out := bufio.NewWriterSize(p.out, 64<<10)
	line := make([]byte, 0, width+1)
	tick := pacedTick
	if rate < pacedMany {
		tick = pacedRest
	}
	begin := time.Now()
	for i := 0; i < n; {
		for due := int(time.Since(begin).Seconds() * float64(rate)); i < min(due, n); i++ {
			line = strconv.AppendInt(line[:0], int64(i)+1, 10)
			line = append(line, ' ')
			line = strconv.AppendInt(line, time.Now().UnixNano(), 10)
			for len(line) < width {
				line = append(line, ' ')
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return 0, err
			}
		}
		if err := out.Flush(); err != nil {
			return 0, err
		}
		time.Sleep(tick)
	}
	return 0, nil
}
