package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

// refuse ends a run of which nothing was executed.
func (r *Runner) refuse(l *live, err error) {
	p := problem.From(err)
	detail := p.Error()
	if p.Mend != "" {
		detail += " (" + p.Mend + ")"
	}
	r.end(l, func(run *Run) { run.State, run.Reason, run.Detail = Refused, p.Code, detail })
}

// end records an outcome: the log is on disk first, then the outcome, and only
// then it is told, to those who wait and by the log's end.
func (r *Runner) end(l *live, set func(*Run)) {
	gap := ""
	if err := l.log.Sync(); err != nil {
		gap = "not all of it could be written to disk: " + err.Error()
	}
	now := time.Now()
	ok := r.must(l, func(run *Run) {
		set(run)
		run.Ended, run.Waiting = now, ""
		if run.SameAs == "" {
			state := l.log.State()
			run.Log.Lines, run.Log.Bytes = state.Lines, state.Bytes
		}
		if gap != "" {
			run.Log.Complete, run.Log.Gap = false, gap
		}
	})
	if !ok {
		return
	}
	failpoint.Here("run.ended")
	r.mu.Lock()
	run := l.run
	delete(r.lives, run.ID)
	if run.Owed {
		r.owe(run)
	}
	r.mu.Unlock()
	close(l.ended)
	r.opts.Measures.Ended(run)
	if err := l.log.Close(); err != nil {
		r.log.Warn("log not closed", "run", run.ID, "error", err)
	}
	r.afterwards(run)
	r.wake()
	r.log.Info("run "+string(run.State), "run", run.ID, "image", run.Image, "digest", run.Pin.Digest(), "host", run.Host,
		"exit_code", run.ExitCode, "reason", run.Reason, "took", run.Ended.Sub(run.Submitted).Round(time.Millisecond))
}

// afterwards does what an end leaves to do, and nobody waits for.
func (r *Runner) afterwards(run Run) {
	r.started.Go(func() {
		select {
		case <-r.packing: // one at a time: it is the processor's work
			defer func() { r.packing <- struct{}{} }()
		case <-r.life.Done():
			return // the next retention compresses it
		}
		if err := r.opts.Spool.Compress(run.ID); err != nil {
			r.log.Warn("log not compressed", "run", run.ID, "error", err)
		}
	})
}

// save writes a change of a run to the store, with what people are to be told of
// it, and makes it here once it is there. Writes of one run follow each other.
func (r *Runner) save(ctx context.Context, l *live, set func(*Run)) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	r.mu.Lock()
	before, run := l.run, l.run
	r.mu.Unlock()
	if run.State.Ended() {
		return nil // what comes after an outcome changes nothing
	}
	set(&run)
	if err := r.opts.Store.UpdateRun(ctx, run, r.noticesOf(l, before, run)...); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	set(&l.run)
	return nil
}

// must tries until the store has a change, or until we stop: what was not
// written down is neither done nor told.
func (r *Runner) must(l *live, set func(*Run)) bool {
	for r.life.Err() == nil {
		err := r.save(r.life, l, set)
		if err == nil {
			return true
		}
		if r.life.Err() == nil {
			r.log.Error("run not written down; trying again in a second", "run", l.run.ID, "error", err)
		}
		pause(r.life, time.Second)
	}
	return false
}

// compactJSON gives a result file as the API returns it.
func compactJSON(b []byte, path string) ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return nil, problem.Wrap(problem.ResultInvalid, err, "read the result file "+path+" as JSON", "let the program write one JSON value there")
	}
	return compact.Bytes(), nil
}
