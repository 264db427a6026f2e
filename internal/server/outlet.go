package server

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// flushEvery is how often lines are sent on while they keep coming: a flush
	// for each line would take longer than all else that is done for it. It is
	// what a line may be late, where another came just before.
	flushEvery = 5 * time.Millisecond
	// stalled is how long a reader may take nothing of what waits for it.
	stalled = 5 * time.Minute
	// pieceSize is what a reader has to take in that time, in bytes.
	pieceSize = 64 << 10
	// pingEvery is how long an event stream may be silent.
	pingEvery = 15 * time.Second
)

// stream answers with what comes, as it comes.
func stream(w http.ResponseWriter, contentType string, produce func(o *outlet) error) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold lines back
	o := newOutlet(w)
	defer o.close()
	if err := o.timed(o.conn.Flush); err != nil { // the headers: the reader knows that it is connected
		return err
	}
	return produce(o)
}

// outlet sends to a reader: a lone piece at once, many together. A reader that
// takes nothing is cut off, so that dead ones don't pile up.
type outlet struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	later *time.Timer // flushes what waits

	mu      sync.Mutex
	ping    *time.Timer // nil: silence is right
	flushed time.Time
	waiting bool // later will flush
	closed  bool
}

func newOutlet(w http.ResponseWriter) *outlet {
	o := &outlet{w: w, conn: http.NewResponseController(w)}
	o.later = time.AfterFunc(time.Hour, o.flushWaiting)
	o.later.Stop() // until there is something to flush
	return o
}

func (o *outlet) write(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for piece := range slices.Chunk(b, pieceSize) {
		if err := o.timed(func() error { _, err := o.w.Write(piece); return err }); err != nil {
			return err
		}
	}
	if o.waiting {
		return nil
	}
	now := time.Now()
	if wait := flushEvery - now.Sub(o.flushed); wait > 0 {
		o.waiting = true
		o.later.Reset(wait)
		return nil
	}
	o.flushed = now
	return o.timed(o.conn.Flush)
}

// timed does something that may wait for the reader.
func (o *outlet) timed(do func() error) error {
	_ = o.conn.SetWriteDeadline(time.Now().Add(stalled)) // fails where there is no connection, as in some tests
	if err := do(); err != nil {
		return fmt.Errorf("write to the reader: %w", err)
	}
	_ = o.conn.SetWriteDeadline(time.Time{}) // one that passed can't be moved in HTTP/2
	return nil
}

func (o *outlet) flushWaiting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting {
		o.waiting, o.flushed = false, time.Now()
		_ = o.timed(o.conn.Flush) // a reader that went away is noticed by the next write
	}
}

// keepAwake sends comments of an event stream while nothing else is sent:
// proxies cut connections that are silent.
func (o *outlet) keepAwake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushed = time.Now() // the headers
	o.ping = time.AfterFunc(pingEvery, o.sendPing)
}

func (o *outlet) sendPing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	silent := time.Since(o.flushed)
	if silent >= pingEvery {
		silent = 0
		o.flushed = time.Now()
		if o.timed(func() error { _, err := o.w.Write([]byte(": ping\n\n")); return err }) != nil || o.timed(o.conn.Flush) != nil {
			return // the reader went away
		}
	}
	o.ping.Reset(pingEvery - silent)
}

// close sends what waits. Nothing touches the reader's connection after it but
// the server, which may wait for the reader as long as we do.
func (o *outlet) close() {
	o.later.Stop()
	o.flushWaiting()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.ping != nil {
		o.ping.Stop()
	}
	_ = o.conn.SetWriteDeadline(time.Now().Add(stalled)) // net/http takes it away for the next request
}
