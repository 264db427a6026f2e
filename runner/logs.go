package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prewarm/prewarm/runner/spool"
)

// slack is how far before the newest line a resumed log is read again: engines
// before 24 filter each message by its own time, and the two streams of a
// container run up to some milliseconds apart. 2 s lost and doubled nothing in
// 32 runs of 59 disconnects each (Engine 20.10 to 29); less lost lines on 20.10.
const slack = 2 * time.Second

// clockStep is by how much a host's clock must have been set back to be read from
// the beginning again.
const clockStep = time.Second

// follower takes a container's log into the run's spool: it follows while the
// container runs, from where it was whenever the connection breaks, and compares
// it with the engine's once the container has ended.
type follower struct {
	r      *Runner
	l      *live
	id     string // the container's
	host   string
	mask   masker
	offset time.Duration // the engine's clock minus ours, when the following began
	// spooled is the same when the last line was spooled, perhaps in an earlier
	// life of ours.
	spooled time.Duration
	cancel  context.CancelFunc
	done    chan struct{}

	// Of the lines in the spool, by stream; nil where an earlier life of ours
	// wrote some of them, until they are counted.
	tallies map[Stream]*tally
	broken  bool          // the log was not read in one piece
	begun   bool          // its first line is there
	lagged  time.Time     // when it was last measured how far behind it is
	taken   atomic.Int64  // when the last line was, in nanoseconds since 1970
	late    bool          // nothing was spooled when an earlier life of ours lost it
	whole   chan struct{} // closed when the first reading came to the log's end
	full    error
	reading reading
}

// tally is the count of a stream's lines, and a hash of them in their order.
type tally struct {
	lines int64
	hash  uint64
}

func (t *tally) add(l lineKey) { t.lines++; t.hash = t.hash*1099511628211 ^ l.hash }

// lineKey knows a line again that the engine gives a second time.
type lineKey struct {
	time   int64
	stream Stream
	hash   uint64
}

// seed is of this process: hashes are never stored.
var seed = maphash.MakeSeed()

func keyOf(at time.Time, stream Stream, text string) lineKey {
	return lineKey{time: at.UnixNano(), stream: stream, hash: maphash.String(seed, text)}
}

// reading says which lines of the one under way are in the spool already: by
// what they are, or because they are those that it begins with.
type reading struct {
	known map[lineKey]int
	begin *beginning
}

// beginning is what is known of the first lines of a log that is read from its
// start: as many of each stream as the spool has.
type beginning struct{ have, seen map[Stream]*tally }

func (f *follower) beginning() *beginning {
	have := make(map[Stream]*tally)
	for stream, t := range f.tallies {
		have[stream] = &tally{t.lines, t.hash}
	}
	return &beginning{have: have, seen: newTallies()}
}

// errDiffers tells that the spool can't be brought up to the engine's log.
var errDiffers = errors.New("the engine's log is not the one that was read before: lines may be missing or out of order")

// covers tells whether a line is one of the beginning. Where the beginning is
// another one than the spool's, what follows may be in the spool already.
func (b *beginning) covers(key lineKey) (bool, error) {
	have, seen := b.have[key.stream], b.seen[key.stream]
	if seen.lines >= have.lines {
		return false, nil
	}
	seen.add(key)
	if seen.lines == have.lines && seen.hash != have.hash {
		return true, errDiffers
	}
	return true, nil
}

// whole tells whether all of the beginning was seen.
func (b *beginning) whole() error {
	for stream, have := range b.have {
		if seen := b.seen[stream]; seen.lines < have.lines {
			return fmt.Errorf("the engine has %d lines of %s, of which %d were read before: it lost some, or was given other ones", seen.lines, stream, have.lines)
		}
	}
	return nil
}

func (r *Runner) followLog(ctx context.Context, l *live, id string) *follower {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	host, masked := l.run.Host, l.masked
	r.mu.Unlock()
	f := &follower{
		r: r, l: l, id: id, host: host, mask: newMasker(masked), offset: r.opts.Images.Facts(host).ClockOffset,
		cancel: cancel, done: make(chan struct{}), whole: make(chan struct{}),
	}
	f.spooled = f.offset
	if last := l.log.State().Last; last.Seq == 0 {
		f.tallies, f.late = newTallies(), l.adopted
	} else {
		f.broken, f.begun = true, true // an earlier life of ours began it
		if !last.EngineTime.IsZero() {
			f.spooled = last.EngineTime.Sub(last.Time)
		}
	}
	r.started.Go(func() {
		defer close(f.done)
		f.loop(ctx)
	})
	return f
}

func newTallies() map[Stream]*tally { return map[Stream]*tally{Stdout: {}, Stderr: {}} }

const (
	// retryFollow is the wait before a broken log connection is made again.
	retryFollow = 500 * time.Millisecond
	// retryFull is the wait before a full disk is tried again.
	retryFull = time.Second
)

func (f *follower) loop(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		f.broken = f.broken || !first
		// A clean end proves nothing: an engine that restarts under live-restore
		// ends the log, and the container goes on. finish ends this loop.
		err := f.read(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case f.full != nil:
			f.r.log.Warn("the log of a run can't be written; the engine keeps it meanwhile", "run", f.l.run.ID, "error", f.full)
			pause(ctx, retryFull)
		case err == nil:
			if first {
				close(f.whole)
			}
			pause(ctx, 2*retryFollow) // nearly always its container has ended
		default:
			pause(ctx, retryFollow)
		}
	}
}

// read follows the log from where the spool ends, and a little before.
func (f *follower) read(ctx context.Context) error {
	since, err := f.resume(ctx)
	if err != nil {
		return err
	}
	engine, err := f.r.engineOf(f.l.run.Host)
	if err != nil {
		return err
	}
	err = engine.Logs(ctx, f.id, since, true, f.take)
	if f.full == nil {
		f.full = f.l.log.Flush()
	}
	return errors.Join(err, f.full)
}

// resume says from when on the log is to be read, and what of it is known.
func (f *follower) resume(ctx context.Context) (since time.Time, err error) {
	f.reading, f.full = reading{}, nil
	// What waits to be written is not among what is read below.
	if f.full = f.l.log.Flush(); f.full != nil {
		return time.Time{}, f.full
	}
	last, err := f.newest(ctx)
	if last.IsZero() || err != nil {
		return time.Time{}, err
	}
	// A clock that was set back meanwhile: what was printed since is older than
	// what we have, and an old engine would filter it away.
	if now := f.r.opts.Images.Facts(f.l.run.Host).ClockOffset; now < f.spooled-clockStep {
		f.offset, f.spooled = now, now
		if err := f.count(ctx); err == nil {
			f.reading.begin = f.beginning()
			return time.Time{}, nil
		}
	}
	since = last.Add(-slack)
	if f.l.log.State().Cut.Last > 0 {
		since = last // nobody knows which lines within the slack were cut
	}
	f.reading.known = make(map[lineKey]int)
	return since, f.l.log.Tail(since, func(e spool.Entry) error {
		if e.Stream != string(Ours) {
			f.reading.known[keyOf(e.EngineTime, Stream(e.Stream), e.Text)]++
		}
		return nil
	})
}

// newest is the engine's time of the last line that it printed; zero: there is
// none.
func (f *follower) newest(ctx context.Context) (at time.Time, err error) {
	state := f.l.log.State()
	if at = state.Last.EngineTime; !at.IsZero() || state.Lines == 0 {
		return at, nil
	}
	// The last one tells of lines that were cut.
	err = f.l.log.Read(ctx, 0, false, func(e spool.Entry) error {
		if !e.EngineTime.IsZero() {
			at = e.EngineTime
		}
		return nil
	})
	return at, err
}

// take puts a line into the spool, unless it is there.
func (f *follower) take(line Line) error {
	text, key := f.spelled(line)
	if f.reading.begin != nil {
		if covered, err := f.reading.begin.covers(key); covered {
			return err
		}
	}
	if f.reading.known[key] > 0 {
		f.reading.known[key]--
		return nil
	}
	err := f.l.log.Append(spool.Entry{
		Time: line.Time.Add(-f.offset).UTC(), EngineTime: line.Time.UTC(), Stream: string(line.Stream), Text: text, Open: line.Open,
	})
	if err != nil {
		f.full = err
		return err
	}
	f.taken.Store(time.Now().UnixNano())
	f.lag(line)
	if f.tallies != nil {
		f.tallies[line.Stream].add(key)
	}
	if !f.begun {
		f.firstLine()
	}
	if f.r.opts.Forward != nil {
		f.r.opts.Forward.Forward(f.r.now(f.l), f.l.log.State().Last)
	}
	return nil
}

// spelled gives a line's text as it is spooled, and by what it is known again.
func (f *follower) spelled(l Line) (text string, key lineKey) {
	text = f.mask.mask(strings.ToValidUTF8(l.Text, "\uFFFD"))
	return text, keyOf(l.Time, l.Stream, text)
}

func (f *follower) firstLine() {
	f.begun = true
	f.r.mu.Lock()
	f.l.run.FirstLine = time.Now()
	run := f.l.run
	f.r.mu.Unlock()
	f.r.opts.Measures.FirstLine(run, run.FirstLine.Sub(run.Submitted))
}

// lagEvery is how often it is measured how far the spool is behind.
const lagEvery = time.Second

// lag measures by how much a line that was spooled just now is late.
func (f *follower) lag(line Line) {
	now := time.Now()
	if now.Sub(f.lagged) < lagEvery {
		return
	}
	f.lagged = now
	f.r.opts.Measures.Lagged(f.host, max(0, now.Sub(line.Time.Add(-f.offset))))
}

// errCut tells that the spool has not got all lines any more.
var errCut = errors.New("lines were cut from the log")

// count counts what an earlier life of ours spooled.
func (f *follower) count(ctx context.Context) error {
	if f.tallies != nil {
		return nil
	}
	if f.l.log.State().Cut.Last > 0 {
		return errCut
	}
	tallies := newTallies()
	err := f.l.log.Read(ctx, 0, false, func(e spool.Entry) error {
		if t := tallies[Stream(e.Stream)]; t != nil {
			t.add(keyOf(e.EngineTime, Stream(e.Stream), e.Text))
		}
		return nil
	})
	if err == nil {
		f.tallies = tallies
	}
	return err
}
