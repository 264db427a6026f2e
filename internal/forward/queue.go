package forward

import (
	"slices"
	"sync"
)

// The most that is written at once: it is copied for that.
const (
	batchLines = 256
	batchBytes = 1 << 20
)

// queue holds what a target has not taken yet: so many lines and bytes, and no
// more.
type queue struct {
	maxLines, maxBytes int
	wake               chan struct{} // holds one token: "there is something"

	mu    sync.Mutex
	lines []line
	bytes int
	// full stays until the queue is half empty: a target that is a little too
	// slow would get a notice after every other line.
	full    bool
	dropped int // since the last notice
}

func newQueue(maxLines, maxBytes int) *queue {
	return &queue{maxLines: maxLines, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// refuses tells whether there is no room for a line, and counts it as dropped
// then.
func (q *queue) refuses() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full && len(q.lines) <= q.maxLines/2 && q.bytes <= q.maxBytes/2 {
		q.full = false
	}
	if q.full {
		q.dropped++
	}
	return q.full
}

// add puts a line at the end, after a notice of those that are missing there;
// or drops it.
func (q *queue) add(l line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full || len(q.lines) > 0 && (len(q.lines) >= q.maxLines || q.bytes+len(l.body) > q.maxBytes) {
		q.full = true
		q.dropped++
		return
	}
	q.notice()
	q.push(l)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) push(l line) {
	q.lines = append(q.lines, l)
	q.bytes += len(l.body)
}

func (q *queue) notice() {
	if q.dropped > 0 {
		q.push(notice(q.dropped))
		q.dropped = 0
	}
}

// first gives the first lines, up to a batch. They stay until they are done.
func (q *queue) first() []line {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == 0 {
		q.notice()
	}
	n, bytes := 0, 0
	for n < len(q.lines) && n < batchLines && bytes < batchBytes {
		bytes += len(q.lines[n].body)
		n++
	}
	return slices.Clone(q.lines[:n])
}

// done takes the first n lines away.
func (q *queue) done(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pop(n)
}

// lose takes the first line away, which can't be delivered, and counts it as
// dropped. A notice isn't counted, or it would be followed by one about itself.
func (q *queue) lose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lines[0].run != "" {
		q.dropped++
	}
	q.pop(1)
}

func (q *queue) pop(n int) {
	for _, l := range q.lines[:n] {
		q.bytes -= len(l.body)
	}
	clear(q.lines[:n]) // or their bodies would stay in memory
	q.lines = q.lines[n:]
}

// left is how many lines were not delivered, those that were dropped since the
// last notice among them.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines) + q.dropped
}
