package main

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// reading is what somebody has read of a run's log.
type reading struct {
	seq     int64
	sum     uint64 // of all that was read so far
	at      time.Time
	printed map[string]int // the last number of a stream
	missing int            // numbers that were left out
	ours    int            // lines that the server wrote
	wrong   string         // the first thing that no log may have; empty: nothing
}

func newReading() *reading { return &reading{printed: map[string]int{}} }

// words are what the program begins its lines with.
var words = map[string]string{"stdout": "out ", "stderr": "err "}

// take reads the next line.
func (r *reading) take(l api.LogLine) {
	sum := fnv.New64a()
	fmt.Fprintln(sum, r.sum, l.Seq, l.Time.UnixNano(), l.Stream, l.Text)
	r.sum = sum.Sum64()
	if l.Seq != r.seq+1 {
		r.fail("line %d follows line %d", l.Seq, r.seq)
	}
	if !l.Time.After(r.at) {
		r.fail("line %d has the time %s, and the one before it %s", l.Seq, l.Time, r.at)
	}
	r.seq, r.at = l.Seq, l.Time
	if l.Stream == "prewarm" {
		r.ours++
		return
	}
	text, known := strings.CutPrefix(l.Text, words[l.Stream])
	n, err := strconv.Atoi(text)
	switch last := r.printed[l.Stream]; {
	case l.Open: // the program was killed within it
	case !known || err != nil:
		r.fail("line %d on %s was never printed: %q", l.Seq, l.Stream, l.Text)
	case n <= last:
		r.fail("line %d on %s is %q, after %d", l.Seq, l.Stream, l.Text, last)
	default:
		r.missing += n - last - 1
		r.printed[l.Stream] = n
	}
}

func (r *reading) fail(format string, args ...any) {
	if r.wrong == "" {
		r.wrong = fmt.Sprintf(format, args...)
	}
}

// mark is how far somebody has read, and what.
type mark struct {
	seq int64
	sum uint64
}

func (r *reading) mark() mark { return mark{seq: r.seq, sum: r.sum} }
