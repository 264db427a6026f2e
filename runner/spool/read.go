package spool

import (
	"context"
	"sort"
	"time"
)

// Read passes the lines behind number after to fn, and with follow those to
// come, until the log ends. Lines that were appended and not flushed are to
// come. Errors of fn come back as they are, and so does ctx's.
func (l *Log) Read(ctx context.Context, after int64, follow bool, fn func(Entry) error) error {
	return l.Copy(ctx, after, follow, eachEntry(l.run, fn))
}

// Copy is Read without decoding: w gets whole lines of NDJSON, many at a time,
// and must not keep them.
func (l *Log) Copy(ctx context.Context, after int64, follow bool, w func(chunk []byte) error) error {
	r := &reader{dir: l.dir, run: l.run, after: after, w: w}
	return r.follow(ctx, follow, l.find)
}

// find gives the segment with the next line behind number after. Where there is
// none yet, changed is closed when there may be; nil: there won't be any.
func (l *Log) find(after int64) (seg segment, ok bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].last > after })
	if i == len(l.segments) {
		return segment{}, false, l.changed
	}
	return l.segments[i], true, nil
}

// Tail passes to fn, in order, the first line that the engine dates since or
// later, and all behind it. It reads no segment in which there is none, unless
// it stands behind that line.
func (l *Log) Tail(since time.Time, fn func(Entry) error) error {
	if err := l.Flush(); err != nil {
		return err
	}
	after, ok := l.before(since)
	if !ok {
		return nil
	}
	begun := false
	return l.Read(context.Background(), after, false, func(e Entry) error {
		begun = begun || isSince(e.EngineTime, since)
		if !begun {
			return nil
		}
		return fn(e)
	})
}

func isSince(t, since time.Time) bool { return !t.IsZero() && !t.Before(since) }

// before gives the last line of the segments that are older than since.
func (l *Log) before(since time.Time) (after int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		if isSince(s.newest, since) {
			return s.first - 1, true
		}
	}
	return 0, false
}
