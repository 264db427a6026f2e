package spool

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"
)

// Log is the log of a run that is under way: one writer, any number of readers,
// none of which waits for another.
type Log struct {
	dir, run     string
	segment, max int64 // bytes; max 0: no bound
	open         opener

	// write is held by whoever changes the log. No reader takes it.
	write   sync.Mutex
	buf     []byte
	pending segment // the lines of buf
	current file    // of the last segment; nil: the next line begins one
	torn    bool    // current may have bytes behind its size, of a write that failed
	stuck   bool    // the last flush failed
	timer   *time.Timer
	closed  bool

	// unsynced are the files, but for current, that may not be on disk, and
	// folders tells that names may not be.
	unsynced map[string]bool
	folders  bool
	settling sync.WaitGroup // for the last full segment to be on disk

	// mu guards what readers see. It is held for moments only.
	mu       sync.Mutex
	segments []segment
	state    State
	failed   error         // to bring something to disk: it may be lost, whatever is tried again
	changed  chan struct{} // closed and replaced when a reader could go on; nil: the log has ended
}

// State is what a log holds.
type State struct {
	Lines int64 // the number of the last one
	Bytes int64 // of all texts, without line feeds
	Last  Entry // zero: there is none
	Cut   CutRange
}

// CutRange are the lines that were cut; zero: none.
type CutRange struct {
	First, Last int64
	Bytes       int64 // of their texts
}

const (
	bufferSize = 64 << 10
	// lag is how long a line may wait for others.
	lag = 5 * time.Millisecond
	// retry is how long after a failure a flush is tried again where nobody
	// asks for one.
	retry = time.Second
	// tick is the least distance between two lines.
	tick = time.Microsecond
	// leastSettled is the size from which on a full segment is brought to disk
	// by itself. Smaller ones are those of a log with a low bound: Sync has not
	// much to do for all of them, and most are cut before it.
	leastSettled = 1 << 20
)

// Append takes a line: with the next number, and a time that is later than the
// last one's. Readers see it 5 ms later at most, or after Flush. When Append
// fails, the line was not taken and is to be appended again: what was taken
// before it could not be written, and will be tried again then.
func (l *Log) Append(e Entry) error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return fmt.Errorf("append to log of run %s: %w", l.run, fs.ErrClosed)
	}
	if l.stuck || int64(len(l.buf)) >= min(bufferSize, l.segment) {
		if err := l.flush(); err != nil {
			return err
		}
	}
	return l.take(e)
}

// take puts a line into the buffer.
func (l *Log) take(e Entry) error {
	// The last line is changed here only, under write.
	e.Seq = l.state.Lines + 1
	e.Time = e.Time.Round(0) // without the monotonic clock, which the wire has not
	if least := l.state.Last.Time.Add(tick); l.state.Lines > 0 && e.Time.Before(least) {
		e.Time = least
	}
	from := len(l.buf)
	buf, err := appendEntry(l.buf, e)
	if err != nil {
		return fmt.Errorf("append to log of run %s: encode line %d: %w", l.run, e.Seq, err)
	}
	l.buf = buf
	e.Text = valid(e.Text)
	if from == 0 {
		l.pending = segment{first: e.Seq, last: e.Seq - 1}
		l.flushIn(lag)
	}
	l.pending.add(e, len(buf)-from)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Lines = e.Seq
	l.state.Bytes += int64(len(e.Text))
	l.state.Last = e
	return nil
}

// flushIn sees to it that a line does not wait for the next one.
func (l *Log) flushIn(d time.Duration) {
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.flushLate)
		return
	}
	l.timer.Reset(d)
}

// flushLate is a flush that nobody waits for. The next call tells its failure.
func (l *Log) flushLate() {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return
	}
	if err := l.flush(); err != nil {
		l.flushIn(retry)
	}
}

// Flush hands what was appended to the kernel, and readers see it. When it
// fails nothing is lost: the next Flush, or Append, tries the same again.
func (l *Log) Flush() error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return nil
	}
	return l.flush()
}

// Sync is Flush, and what was appended is on disk when it returns. Once the
// disk failed to keep something, each Sync says so: what was to be written then
// may be lost, although a later try succeeds.
func (l *Log) Sync() error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return fmt.Errorf("sync log of run %s: %w", l.run, fs.ErrClosed)
	}
	if err := l.flush(); err != nil {
		return err
	}
	if err := l.mend(); err != nil {
		return err
	}
	l.settling.Wait()
	if l.current != nil {
		l.note(l.current.Sync())
	}
	for name := range l.unsynced {
		l.note(syncPath(filepath.Join(l.dir, name)))
	}
	clear(l.unsynced)
	if l.folders {
		l.note(syncPath(l.dir))
		l.note(syncPath(filepath.Dir(l.dir)))
		l.folders = false
	}
	return l.failure()
}

// note remembers the first failure of the disk.
func (l *Log) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.failed == nil {
		l.failed = fmt.Errorf("sync log of run %s: %w", l.run, err)
	}
}

func (l *Log) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Close ends the log: followers get the rest and end. Lines that can't be
// written are lost to it, and the error says so.
func (l *Log) Close() error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return nil
	}
	err := l.flush()
	if err != nil {
		err = fmt.Errorf("lines from %d on are lost: %w", l.pending.first, err)
	}
	return l.end(err)
}

// end gives up everything that the log holds.
func (l *Log) end(err error) error {
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.settling.Wait()
	if l.current != nil {
		if failed := l.mend(); err == nil {
			err = failed
		}
		if failed := l.current.Close(); err == nil && failed != nil {
			err = fmt.Errorf("close log of run %s: %w", l.run, failed)
		}
	}
	l.buf = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = nil
	return err
}

// State tells what was appended so far, written or not.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}
