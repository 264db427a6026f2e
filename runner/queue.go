package runner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// maxIdle bounds the time between two looks at the queue when nothing is due.
const maxIdle = time.Minute

// dispatch places what can be placed, by priority and then in order of submit,
// ends what has waited long enough, and asks for what is overdue to be stopped.
// It returns how long nothing is due.
func (r *Runner) dispatch() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Err() != nil {
		return maxIdle // what is queued stays so on disk
	}
	look := r.look(time.Now())
	r.queue = slices.DeleteFunc(r.queue, func(l *live) bool {
		wait := r.tryPlace(l, look)
		l.run.Waiting = wait
		return wait == ""
	})
	for _, l := range r.lives {
		r.overdue(l, look)
	}
	return look.due
}

// look is one look at the queue.
type look struct {
	now time.Time
	due time.Duration
	// taken are the hosts for which a run waits that comes first: nobody
	// overtakes it there, or a large run would wait for ever.
	taken map[string]bool
	gate  string // why nothing is executed at all; empty: it is
	// claims names the oldest run of each key that is not over, and newest the
	// newest one.
	claims map[workKey]string
	newest map[workKey]Run
	groups map[workKey]int // runs under way, by concurrency group
	images map[string]int  // the same by image
}

// workKey is a key or a group within its namespace.
type workKey struct{ namespace, name string }

// look begins a look at the queue. The caller holds mu.
func (r *Runner) look(now time.Time) *look {
	k := &look{
		now: now, due: maxIdle, taken: make(map[string]bool), gate: r.closed(),
		claims: make(map[workKey]string), newest: make(map[workKey]Run), groups: make(map[workKey]int), images: make(map[string]int),
	}
	for _, l := range r.lives {
		k.claim(l.run)
		if l.run.State != Queued {
			k.count(l.run)
		}
	}
	for _, d := range r.owed {
		k.claim(d.run)
	}
	return k
}

func (k *look) claim(run Run) {
	key := workKey{run.Terms.Namespace, run.Terms.Key}
	if run.Terms.Key != "" && !run.State.Ended() && run.ID > k.newest[key].ID {
		k.newest[key] = run
	}
	if oldest := k.claims[key]; run.Terms.Key != "" && (oldest == "" || run.ID < oldest) {
		k.claims[key] = run.ID
	}
}

func (k *look) count(run Run) {
	k.images[run.Image]++
	k.groups[workKey{run.Terms.Namespace, run.Terms.Group}]++
}

// at notes that something is due then, unless it was before.
func (k *look) at(t time.Time) {
	if wait := t.Sub(k.now); wait > 0 {
		k.due = min(k.due, wait)
	}
}

// enqueue puts a run to its place in the queue. The caller holds mu.
func (r *Runner) enqueue(l *live) {
	i, _ := slices.BinarySearchFunc(r.queue, l, func(a, b *live) int {
		return cmp.Or(cmp.Compare(b.run.Terms.Priority, a.run.Terms.Priority), strings.Compare(a.run.ID, b.run.ID))
	})
	r.queue = slices.Insert(r.queue, i, l)
}

// tryPlace starts a queued run if it can and ends it if it must, and then gives
// ""; otherwise it says what the run waits for. The caller holds mu.
func (r *Runner) tryPlace(l *live, k *look) (wait string) {
	if earlier := k.claims[workKey{l.run.Terms.Namespace, l.run.Terms.Key}]; earlier != "" && earlier != l.run.ID {
		return "for the end of run " + earlier + ", which has the same key"
	}
	if r.lives[l.run.After] != nil || r.owed[l.run.After] != nil {
		return "for the end of run " + l.run.After + ", which has the same key"
	}
	if l.fixing {
		return "for its digest to be written down"
	}
	if l.run.After != "" && !l.cleared {
		l.fixing = true
		r.started.Go(func() { r.settleAfter(l) })
		return "for the outcome of run " + l.run.After
	}
	if l.run.Pin.IsZero() {
		return r.tryPin(l, k)
	}
	warm, cold := r.opts.Images.WarmHosts(l.run.Image, l.run.Pin)
	for name, a := range l.avoid {
		if !k.now.Before(a.until) {
			continue
		}
		k.at(a.until)
		warm = slices.DeleteFunc(warm, func(n string) bool { return n == name })
		cold[name] = a.why
	}
	fitting, unfit := r.fitting(l.run, slices.Concat(warm, keysOf(cold)))
	switch {
	case len(warm)+len(cold) == 0:
		// A reload took the image or its hosts away: waiting brings nothing.
		return r.refuseQueued(l, notWarm(l.run.Image, l.run.Pin, cold))
	case len(fitting) == 0:
		return r.refuseQueued(l, noHost(l.run, unfit))
	}
	ready := slices.DeleteFunc(slices.Clone(fitting), func(c candidate) bool { return !slices.Contains(warm, c.host) })
	if len(ready) == 0 {
		maps.Copy(cold, unfit)
		return r.waitOrRefuse(l, k, r.coldError(l.run, cold))
	}
	l.cold, l.ready = time.Time{}, true
	if k.gate != "" {
		return k.gate
	}
	if group := k.grouped(l.run, r.setup.Images[l.run.Image].Concurrent); group != "" {
		return group
	}
	return r.takeHost(l, ready, k)
}

// takeHost places a run on one of the hosts that are ready for it, if one has
// room. The caller holds mu.
func (r *Runner) takeHost(l *live, ready []candidate, k *look) (wait string) {
	want := r.requestOf(l.run)
	open := slices.DeleteFunc(slices.Clone(ready), func(c candidate) bool { return k.taken[c.host] })
	name, ok := place(want, open)
	if !ok {
		var names []string
		for _, c := range ready {
			k.taken[c.host] = true
			names = append(names, c.host)
		}
		return "for room on " + strings.Join(names, ", ")
	}
	h := r.hostOf(name)
	facts := r.opts.Images.Facts(name)
	r.occupy(l.run, h)
	l.run.Host, l.run.EngineMarker = h.Name, facts.Marker
	l.run.State, l.run.Placed, l.run.Waiting = Placed, k.now, ""
	k.count(l.run)
	r.settleVolume(l.run, h, facts.Marker)
	r.started.Go(func() { r.execute(r.life, l, h) })
	return ""
}

// occupy counts a run on its host; vacate is its inverse. The caller holds mu.
func (r *Runner) occupy(run Run, h *host) {
	h.inUse++
	h.memory += run.Spec.Memory
	h.nanoCPUs += run.Spec.NanoCPUs
}

func (r *Runner) vacate(run Run, h *host) {
	r.mu.Lock()
	h.inUse--
	h.memory -= run.Spec.Memory
	h.nanoCPUs -= run.Spec.NanoCPUs
	r.mu.Unlock()
	r.wake()
}

// tryPin looks whether a run's image has a digest by now. The caller holds mu.
func (r *Runner) tryPin(l *live, k *look) (wait string) {
	target, err := r.opts.Images.Resolve(l.run.Spec.Image)
	switch {
	case problem.CodeOf(err) == problem.ImageNotManaged:
		return r.refuseQueued(l, err)
	case err != nil:
		return r.waitOrRefuse(l, k, err)
	}
	l.fixing = true
	r.started.Go(func() { r.fix(l, target) })
	return "for its digest to be written down"
}

// coldPatience is how long a run that could have started, and waits for a slot or
// its key, stays queued after its hosts were lost or lost its image.
const coldPatience = 10 * time.Minute

// waitOrRefuse says what a run waits for while it may, and ends it with err
// after that. The caller holds mu.
func (r *Runner) waitOrRefuse(l *live, k *look, err error) (wait string) {
	until := l.run.Submitted.Add(l.run.Terms.WaitWarm)
	if l.cold.IsZero() {
		l.cold = k.now
	}
	// A host that is away for a moment is no reason to refuse a run that could
	// have started before.
	if patient := l.cold.Add(coldPatience); l.ready && until.Before(patient) {
		until = patient
	}
	if k.now.Before(until) {
		k.at(until)
		return err.Error()
	}
	return r.refuseQueued(l, err)
}

// refuseQueued ends a queued run of which nothing was executed.
func (r *Runner) refuseQueued(l *live, err error) (wait string) {
	r.started.Go(func() { r.refuse(l, err) })
	return ""
}

// grouped says that a run waits for others of its group, if it does.
func (k *look) grouped(run Run, perImage int) (wait string) {
	group := k.groups[workKey{run.Terms.Namespace, run.Terms.Group}]
	if limit := run.Terms.GroupLimit; run.Terms.Group != "" && group >= limit {
		return fmt.Sprintf("for the concurrency group %s: %d of %d runs are under way", run.Terms.Group, group, limit)
	}
	if under := k.images[run.Image]; perImage > 0 && under >= perImage {
		return fmt.Sprintf("for other runs of %s: %d of %d are under way", run.Image, under, perImage)
	}
	return ""
}

// fitting tells which of the hosts could ever take a run, and of the others why
// not. The caller holds mu.
func (r *Runner) fitting(run Run, names []string) (fit []candidate, unfit map[string]string) {
	unfit = make(map[string]string)
	want, declared := r.requestOf(run), r.declared()
	scope := r.scopeOf(run)
	for _, h := range r.hosts {
		if !slices.Contains(names, h.Name) {
			continue
		}
		c := r.candidateOf(h)
		if why := c.unfit(want, declared); why != "" {
			unfit[h.Name] = why
		} else if run.Spec.ScopeVolume != "" && scope != nil && scope.Host != "" && scope.Host != h.Name {
			unfit[h.Name] = "the scope's volume is on " + scope.Host
		} else {
			fit = append(fit, c)
		}
	}
	return fit, unfit
}

// declared are the folders that any host declares. The caller holds mu.
func (r *Runner) declared() []string {
	var all []string
	for _, h := range r.hosts {
		all = append(all, h.Binds...)
	}
	return all
}

func (r *Runner) candidateOf(h *host) candidate {
	facts := r.opts.Images.Facts(h.Name)
	c := candidate{
		host: h.Name, labels: h.Labels, binds: h.Binds, slots: h.Slots, inUse: h.inUse,
		memory: facts.Memory, memoryUsed: h.memory, nanoCPUs: int64(facts.CPUs) * 1e9, nanoCPUsUsed: h.nanoCPUs,
	}
	if !facts.Platform.IsZero() {
		c.platform = facts.Platform.String()
	}
	return c
}

func (r *Runner) requestOf(run Run) request {
	q := request{
		hosts: run.Terms.Hosts, labels: run.Terms.HostLabels, platform: run.Spec.Platform,
		memory: run.Spec.Memory, nanoCPUs: run.Spec.NanoCPUs,
	}
	for _, m := range run.Spec.Mounts {
		if m.Kind == Bind {
			q.binds = append(q.binds, m.Source)
		}
	}
	return q
}

// coldError says why a run that fits some hosts can start on none of them. The
// caller holds mu.
func (r *Runner) coldError(run Run, cold map[string]string) error {
	scope := r.scopeOf(run)
	if run.Spec.ScopeVolume == "" || scope == nil || scope.Host == "" {
		return notWarm(run.Image, run.Pin, cold)
	}
	return problem.New(problem.ScopeHost,
		fmt.Sprintf("the files of pin scope %s are on host %s, which can't take the run: %s", scope.Name, scope.Host, cold[scope.Host]),
		"wait for that host, or end the scope: prewarm scope end")
}

func (r *Runner) hostOf(name string) *host {
	i := slices.IndexFunc(r.hosts, func(h *host) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	return r.hosts[i]
}

// engineOf gives the engine that a host has now.
func (r *Runner) engineOf(name string) (Engine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.hostOf(name); h != nil && h.Engine != nil {
		return h.Engine, nil
	}
	return nil, problem.New(problem.HostUnreachable, "host "+name+" is no longer in the configuration", "put it back, or release the runs that were there: prewarm release")
}

// settleAfter looks what became of the run that a queued one had to wait for.
// Where that one did the work after all, it answers this one, too.
func (r *Runner) settleAfter(l *live) {
	earlier, err := r.opts.Store.Run(r.life, l.run.After)
	if err != nil && problem.CodeOf(err) != problem.RunNotFound {
		r.log.Error("the run before is not read; trying again", "run", l.run.ID, "before", l.run.After, "error", err)
		pause(r.life, time.Second)
	}
	r.mu.Lock()
	l.fixing = false
	if err == nil || problem.CodeOf(err) == problem.RunNotFound {
		l.cleared = true
	}
	queued := slices.Contains(r.queue, l)
	answered := err == nil && queued && earlier.succeeded() && l.run.Terms.Join == JoinSuccess &&
		earlier.Terms.Epoch == l.run.Terms.Epoch && len(differences(earlier.Asked, l.run.Asked)) == 0
	if answered {
		r.queue = slices.DeleteFunc(r.queue, func(q *live) bool { return q == l })
	}
	r.mu.Unlock()
	if answered {
		r.end(l, func(run *Run) {
			run.State, run.Reason, run.SameAs = Succeeded, problem.AlreadySucceeded, earlier.ID
			run.Detail = "run " + earlier.ID + " of the same key had succeeded"
			run.Pin, run.Host, run.ExitCode, run.Exited, run.Result = earlier.Pin, earlier.Host, earlier.ExitCode, earlier.Exited, earlier.Result
			run.Log = earlier.Log
		})
	}
	r.wake()
}

func keysOf(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// listed writes reasons by host, in a stable order.
func listed(reasons map[string]string) string {
	var all []string
	for _, name := range keysOf(reasons) {
		all = append(all, fmt.Sprintf("%s: %s", name, reasons[name]))
	}
	if len(all) == 0 {
		return "none selected"
	}
	return strings.Join(all, "; ")
}
