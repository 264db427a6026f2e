package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner/spool"
)

// stop ends the following, and nothing more.
func (f *follower) stop() {
	f.cancel()
	<-f.done
}

// sweepPatience is how long the end of a log is tried to be read from a host that
// does not answer any more, or written to a full disk: its container has ended,
// and its outcome waits for it.
const sweepPatience = 2 * time.Minute

// finish ends the following, reads what it had not got to and compares: the
// container has ended, so the engine's log is whole. Where it has not, there is
// nothing to compare with.
func (f *follower) finish(ctx context.Context, ended bool) logResult {
	if ended {
		f.drain(ctx)
	}
	f.stop()
	var err error
	for deadline := time.Now().Add(sweepPatience); ended; {
		if err = f.sweep(ctx); err == nil || ctx.Err() != nil {
			break
		}
		again := f.full != nil || problem.CodeOf(err) == problem.HostUnreachable
		if !again || time.Now().After(deadline) {
			break
		}
		pause(ctx, retryFull)
	}
	return f.state(ended, err)
}

const (
	// idle is how long a follower takes no line that has caught up; wakes is the
	// same of a long log, where the engine's word that it has ended saves more: it
	// comes some 40 ms after the exit.
	idle  = 20 * time.Millisecond
	wakes = time.Second
)

// drain lets a follower go on that lags behind: a container may print four times
// as fast as its log can be read, and what was read need not be read again. One
// that has caught up is left at once.
func (f *follower) drain(ctx context.Context) {
	patience, quiet := idle, time.Unix(0, f.taken.Load())
	if f.l.log.State().Lines > comparedWhole {
		patience, quiet = wakes, time.Now()
	}
	for ctx.Err() == nil && time.Since(quiet) < patience {
		select {
		case <-f.whole:
			return
		case <-time.After(idle / 4):
		}
		if last := time.Unix(0, f.taken.Load()); last.After(quiet) {
			quiet = last
		}
	}
}

// unrotated is how many bytes of text an engine keeps for certain before it
// rotates a log: a quarter of its file.
const unrotated = 1 << 30

// logResult is what is known of a log at its end.
type logResult struct {
	LogState
	broken bool // it was not read in one piece
}

func (f *follower) state(ended bool, err error) logResult {
	s := f.l.log.State()
	state := LogState{Lines: s.Lines, Bytes: s.Bytes}
	switch {
	case s.Cut.Last > 0:
		state.Gap = fmt.Sprintf("lines %d to %d were cut: the log passed its bound", s.Cut.First, s.Cut.Last)
	case err != nil:
		state.Gap = err.Error()
	case f.late && s.Bytes > unrotated:
		state.Gap = "its beginning was not read while it was written, and it is so long that the engine may have rotated that away"
	default:
		state.Complete = ended
	}
	return logResult{state, f.broken}
}

// with adds what the engine said of the log.
func (l logResult) with(exit Exit) LogState {
	switch {
	case exit.Unwitnessed && l.Complete:
		l.Complete, l.Gap = false, "the engine was restarted, or may have been, while the container ran: what it had in hand then may be lost"
	case exit.LogGap != "" && l.broken: // else the engine was there: one that stops ends its logs
		l.Complete, l.Gap = false, exit.LogGap
	}
	return l.LogState
}

// comparedWhole is up to how many lines a log is always read once more: about
// 0.1 s of an engine's work.
const comparedWhole = 10_000

// errSeen ends a reading early.
var errSeen = errors.New("seen enough")

// sweep brings the spool up to the engine's log and proves that it is the same.
// A long one that was followed to its end in one piece needs only a look at its
// last lines, and whether its first is still there: then nothing was rotated
// away before it was read. (Any reading by time goes through the whole log on
// the engine: 5.8 s for a million lines, against 20 ms.)
func (f *follower) sweep(ctx context.Context) error {
	if f.broken || f.l.log.State().Lines <= comparedWhole || !isClosed(f.whole) {
		return f.compare(ctx)
	}
	if err := f.lastKept(ctx); err != nil {
		return err
	}
	return f.firstKept(ctx)
}

// lastLines is how many lines are compared at the end of a log that was read in
// one piece.
const lastLines = 1000

// lastKept checks that the log ends as the spool does.
func (f *follower) lastKept(ctx context.Context) error {
	if f.full = f.l.log.Flush(); f.full != nil {
		return f.full
	}
	spooled := make(map[Stream][]lineKey)
	err := f.l.log.Read(ctx, f.l.log.State().Lines-2*lastLines, false, func(e spool.Entry) error {
		spooled[Stream(e.Stream)] = append(spooled[Stream(e.Stream)], keyOf(e.EngineTime, Stream(e.Stream), e.Text))
		return nil
	})
	if err != nil {
		return err
	}
	engine, err := f.r.engineOf(f.l.run.Host)
	if err != nil {
		return err
	}
	kept := make(map[Stream][]lineKey)
	err = engine.LastLines(ctx, f.id, lastLines, func(l Line) error {
		_, key := f.spelled(l)
		kept[l.Stream] = append(kept[l.Stream], key)
		return nil
	})
	if err != nil {
		return err
	}
	for stream, lines := range kept {
		lines = lines[1:] // the first may be a part
		have := spooled[stream]
		if len(have) < len(lines) || !slices.Equal(have[len(have)-len(lines):], lines) {
			return f.compare(ctx)
		}
	}
	return nil
}

// firstKept checks that the engine still has the line that was spooled first.
func (f *follower) firstKept(ctx context.Context) error {
	var want spool.Entry
	err := f.l.log.Read(ctx, 0, false, func(e spool.Entry) error { want = e; return errSeen })
	if err != nil && !errors.Is(err, errSeen) {
		return err
	}
	engine, err := f.r.engineOf(f.l.run.Host)
	if err != nil {
		return err
	}
	kept := false
	err = engine.Logs(ctx, f.id, time.Time{}, false, func(l Line) error {
		kept = l.Time.Equal(want.EngineTime) && string(l.Stream) == want.Stream
		return errSeen
	})
	switch {
	case errors.Is(err, errSeen) && kept:
		return nil
	case err == nil || errors.Is(err, errSeen):
		return errors.New("the engine has rotated the beginning of the log away: lines may have gone before they were read")
	}
	return err
}

// compare reads the whole log once more. Its lines must be those of the spool,
// in their order, and those behind them are added.
func (f *follower) compare(ctx context.Context) error {
	f.reading = reading{}
	if f.full = f.l.log.Flush(); f.full != nil {
		return f.full
	}
	if err := f.count(ctx); err != nil {
		return err
	}
	engine, err := f.r.engineOf(f.l.run.Host)
	if err != nil {
		return err
	}
	f.reading.begin = f.beginning()
	err = engine.Logs(ctx, f.id, time.Time{}, false, f.take)
	if f.full == nil {
		f.full = f.l.log.Flush()
	}
	if err = errors.Join(err, f.full); err != nil {
		return err
	}
	return f.reading.begin.whole()
}
