package runner

import (
	"hash/maphash"
	"maps"
	"time"
)

// slack is how far before the newest line a resumed log is read again: engines
// before 24 filter each message by its own time, and the two streams of a
// container run up to some milliseconds apart. 2 s lost and doubled nothing in
// 32 runs of 59 disconnects each (Engine 20.10 to 29); less lost lines on 20.10.
const slack = 2 * time.Second

// cursor knows which lines of a container's log were taken, well enough to read
// the log again from a little earlier and take each line once.
type cursor struct {
	seed   maphash.Seed
	newest time.Time
	recent []lineKey       // those within slack of newest, in order of arrival
	counts map[lineKey]int // of recent: equal lines can share a timestamp
	taken  int64
	again  map[lineKey]int // of counts, still expected from the present reading
}

type lineKey struct {
	time   int64
	stream Stream
	hash   uint64
}

func newCursor() *cursor {
	return &cursor{seed: maphash.MakeSeed(), counts: make(map[lineKey]int)}
}

// resume begins another reading and tells from when.
func (c *cursor) resume() (since time.Time) {
	c.again = maps.Clone(c.counts)
	if c.newest.IsZero() {
		return time.Time{}
	}
	return c.newest.Add(-slack)
}

// take tells whether a line is new, and remembers it.
func (c *cursor) take(l Line) bool {
	key := lineKey{time: l.Time.UnixNano(), stream: l.Stream, hash: maphash.String(c.seed, l.Text)}
	if c.again[key] > 0 {
		c.again[key]--
		return false
	}
	c.taken++
	c.counts[key]++
	c.recent = append(c.recent, key)
	if l.Time.After(c.newest) {
		c.newest = l.Time
		c.forget(c.newest.Add(-slack).UnixNano())
	}
	return true
}

// forget drops what a later reading can't bring again.
func (c *cursor) forget(before int64) {
	n := 0
	for n < len(c.recent) && c.recent[n].time < before {
		key := c.recent[n]
		if c.counts[key]--; c.counts[key] == 0 {
			delete(c.counts, key)
		}
		n++
	}
	c.recent = c.recent[n:]
}

// first tells whether exactly one line was taken so far.
func (c *cursor) first() bool { return c.taken == 1 }
