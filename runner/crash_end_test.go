package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// patience is how long a mended world has to come to its end: a run may wait an
// hour for warmth, and take two and a half then.
const patience = 60 * time.Hour

// quiet mends all, waits for the end of everything, and looks at what is there.
func (o *ordeal) quiet() {
	o.up()
	o.life.plan(-1, false)
	o.store.fail(nil)
	for name, h := range o.hosts {
		h.Calm()
		o.mend(name)
		o.images.warm(name)
	}
	o.images.change(func() {
		if o.images.current.IsZero() {
			o.images.current = one
		}
	})
	for begun := time.Now(); !o.settled(); {
		if time.Since(begun) > patience {
			o.fail("not over after %s: %s", patience, o.unsettled())
			return
		}
		o.pass(5 * time.Minute)
		o.up()
	}
	for _, scope := range o.r.Scopes("") {
		if _, err := o.r.EndScope(context.Background(), runner.DefaultNamespace, scope.Name); err != nil {
			o.fail("end scope %s: %v", scope.Name, err)
		}
	}
	o.pass(time.Minute)
	o.together()
	for _, run := range o.all() {
		o.outcome(run)
		o.told(run)
		o.log(run)
		o.scopePin(run)
	}
	o.answered()
	o.left()
}

func (o *ordeal) all() []runner.Run { return o.store.which(func(runner.Run) bool { return true }) }

func (o *ordeal) unfinished() []runner.Run {
	return o.store.which(func(r runner.Run) bool { return !r.State.Ended() || r.Owed })
}

func (o *ordeal) containers() []runner.Owned {
	var all []runner.Owned
	for _, h := range o.hosts {
		owned, err := h.Owned(context.Background())
		if err != nil {
			o.fail("list the containers: %v", err)
		}
		all = append(all, owned...)
	}
	return all
}

func (o *ordeal) settled() bool {
	return o.failure() != "" || len(o.unfinished()) == 0 && len(o.containers()) == 0
}

func (o *ordeal) unsettled() string {
	var all []string
	for _, run := range o.unfinished() {
		now, err := o.r.Get(context.Background(), run.ID)
		all = append(all, fmt.Sprintf("run %s is %s, owed %t, on %q, waits %q, stop %+v, unreachable since %s (%v)",
			run.ID, now.State, now.Owed, now.Host, now.Waiting, now.Stop, now.Unreachable, err))
	}
	for _, c := range o.containers() {
		all = append(all, fmt.Sprintf("container %+v", c))
	}
	return strings.Join(all, "; ")
}

// told looks whether people were told of a run: that it started, and how it
// ended, once each.
func (o *ordeal) told(run runner.Run) {
	want := map[notice.Kind]int{}
	if run.ContainerID != "" {
		want[notice.RunStarted] = 1
	}
	if !run.Orphaned.IsZero() {
		want[notice.RunOrphaned] = 1
	}
	if run.SameAs == "" && run.Reason != problem.Replaced {
		kind, ok := map[runner.State]notice.Kind{
			runner.Succeeded: notice.RunSucceeded, runner.Canceled: notice.RunCanceled, runner.Lost: notice.RunLost,
		}[run.State]
		switch {
		case ok:
		case run.State == runner.Failed && run.ExitCode == skipped && run.Terms.SkipExitCodes != nil:
			kind = notice.RunSkipped
		case run.Terms.Try < run.Terms.Tries:
			kind = notice.RunRetrying
		default:
			kind = notice.RunFailed
		}
		want[kind] = 1
	}
	got := map[notice.Kind]int{}
	for _, e := range o.store.notices(run.ID) {
		got[e.Kind]++
	}
	if !maps.Equal(got, want) {
		o.fail("of run %s, which is %s (%s), was told %v, not %v", run.ID, run.State, run.Reason, got, want)
	}
}

// outcome holds a run's outcome against what its container did.
func (o *ordeal) outcome(run runner.Run) {
	a := o.of(run.ID)
	wrong := func(why string) {
		o.fail("run %s is %s (%s: %s), exit code %d, stop %+v, but %s: %+v", run.ID, run.State, run.Reason, run.Detail, run.ExitCode, run.Stop, why, a)
	}
	if run.SameAs != "" {
		if same := o.of(run.SameAs); a != nil || same == nil || !same.done() {
			wrong("the work was not done by " + run.SameAs)
		}
		return
	}
	executed := slices.Contains([]runner.State{runner.Succeeded, runner.Failed, runner.Interrupted}, run.State) || run.Exited
	switch {
	case a == nil && executed:
		// Of one that was never started an engine may forget all.
		if run.State != runner.Interrupted || !o.shocked(run.Host, run.Placed, run.Ended) {
			wrong("nothing was executed")
		}
	case a == nil:
	case !a.over:
		wrong("its container runs")
	case run.Exited && run.Stop.Why != "" && within(o.clocks[a.host], run.Placed, run.Ended):
		// Narrowed: by a clock that was set meanwhile nobody knows whether the stop
		// or the end was first.
	case run.State == runner.Succeeded && (a.code != 0 || !a.signaled.IsZero() || a.killed):
		wrong("it did not succeed by itself")
	case run.State == runner.Failed && (a.code == 0 || a.code != run.ExitCode || !a.signaled.IsZero() || a.killed):
		wrong("it did not fail by itself with that code")
	case run.State == runner.Canceled || run.State == runner.TimedOut:
		if run.Stop.Why == "" || !run.Exited || a.ended.Before(run.Stop.At) {
			wrong("it had ended before anybody wished that")
		}
	case run.State == runner.Refused:
		wrong("its container was started")
	case run.State == runner.Interrupted && !o.shocked(a.host, run.Placed, run.Ended):
		wrong("nothing interrupted it")
	case run.State == runner.Lost && !o.shocked(a.host, run.Placed, run.Ended) && !o.hidden(a.host, run.Placed, run.Ended):
		wrong("its host was there")
	}
	if a != nil && run.State == runner.Succeeded && run.Spec.Result != "" && slices.Contains(run.Spec.Command, "result") &&
		run.Reason == "" && string(run.Result) != `{"lines":`+run.Spec.Command[1]+`}` {
		wrong("its result is " + string(run.Result))
	}
}

// log holds a run's log against what its container printed.
func (o *ordeal) log(run runner.Run) {
	var all follower
	if err := o.r.CopyLog(context.Background(), run.ID, 0, false, all.take); err != nil {
		o.fail("the log of run %s: %v", run.ID, err)
		return
	}
	texts := map[runner.Stream][]string{}
	for i, e := range all.got {
		if e.Seq != int64(i+1) || i > 0 && !e.Time.After(all.got[i-1].Time) {
			o.fail("line %d of run %s: %+v", i+1, run.ID, e)
		}
		texts[runner.Stream(e.Stream)] = append(texts[runner.Stream(e.Stream)], e.Text)
	}
	if run.SameAs == "" {
		o.lines(run, texts)
	}
	if f := o.readers[run.ID]; f != nil {
		f.leave()
		if err := o.r.CopyLog(context.Background(), run.ID, f.cursor(), true, f.take); err != nil {
			o.fail("the rest of the log of run %s: %v", run.ID, err)
		}
		if diff := cmp.Diff(all.got, f.got); diff != "" {
			o.fail("a reader of run %s that came and went got another log: %s", run.ID, diff)
		}
	}
}

func (o *ordeal) lines(run runner.Run, texts map[runner.Stream][]string) {
	a := o.of(run.ID)
	if a == nil {
		if len(texts) > 0 {
			o.fail("run %s was never started, and has a log: %v", run.ID, texts)
		}
		return
	}
	if !run.Log.Complete && run.Log.Gap == "" {
		o.fail("the log of run %s (%s) is not complete, and nothing says why", run.ID, run.State)
	}
	for _, stream := range []runner.Stream{runner.Stdout, runner.Stderr} {
		printed, got := a.printed[stream], texts[stream]
		if run.Log.Complete && !slices.Equal(got, printed) {
			o.fail("the log of run %s is complete, but for %s: %s", run.ID, stream, cmp.Diff(printed, got))
		}
		last := -1
		for _, text := range got {
			n := slices.Index(printed, text)
			if n < 0 || n <= last {
				o.fail("the log of run %s has %q of %s twice, late or from nowhere; log %+v: %v, printed %v", run.ID, text, stream, run.Log, got, printed)
				return
			}
			last = n
		}
	}
}

// scopePin looks that a scope has one digest until it is moved.
func (o *ordeal) scopePin(run runner.Run) {
	id := run.Terms.Scope
	if id == "" || run.Pin.IsZero() || run.SameAs != "" {
		return
	}
	if o.pinned[id].IsZero() {
		o.pinned[id] = run.Pin
	}
	if !o.moved[id] && o.pinned[id] != run.Pin {
		o.fail("pin scope %s has %s, and %s in run %s", id, o.pinned[id].Digest().Short(), run.Pin.Digest().Short(), run.ID)
	}
}

// answered looks that what was answered is still there.
func (o *ordeal) answered() {
	for _, id := range o.runs {
		if _, err := o.store.Run(context.Background(), id); err != nil {
			o.fail("run %s was answered, and is gone: %v", id, err)
		}
	}
}

// left looks for what should not be left of it all.
func (o *ordeal) left() {
	for name, h := range o.hosts {
		for volume, labels := range h.Volumes() {
			scope, err := o.r.Scope(runner.DefaultNamespace, labels["prewarm.scope"])
			if err != nil || !scope.Keep {
				o.fail("volume %s of an ended scope is left on %s: %+v %v", volume, name, scope, err)
			}
		}
	}
	for name, use := range o.r.Hosts() {
		if use.InUse != 0 || use.Memory != 0 || use.NanoCPUs != 0 || len(use.Unclaimed) > 0 {
			o.fail("something is in use on %s: %+v", name, use)
		}
	}
	o.store.mu.Lock()
	sealed := len(o.store.sealed)
	o.store.mu.Unlock()
	if sealed > 0 {
		o.fail("the sealed secrets of %d runs are left in the store", sealed)
	}
	told, err := json.Marshal(o.all())
	if err != nil {
		o.fail("%v", err)
	}
	if bytes.Contains(told, []byte(planted)) {
		o.fail("a secret stands in what is told of a run")
	}
}

// over ends it all and looks for secrets in what is on disk.
func (o *ordeal) over() {
	if o.life != nil {
		o.life.plan(-1, false)
	}
	for _, f := range o.readers {
		f.leave()
	}
	o.reading.Wait()
	o.stop()
	for _, h := range o.hosts {
		h.Wipe()
	}
	synctest.Wait()
	if bytes.Contains(o.words.Bytes(), []byte(planted)) {
		o.fail("a secret stands in the server's log")
	}
	err := filepath.WalkDir(o.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(planted)) {
			o.fail("a secret stands in %s", d.Name())
		}
		return err
	})
	if err != nil {
		o.fail("read the spools: %v", err)
	}
}
