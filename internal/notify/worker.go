package notify

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/notice"
)

// workers deliver, one for each route.
type workers struct {
	notifier *Notifier
	running  map[string]*worker
	started  sync.WaitGroup
}

func newWorkers(n *Notifier) *workers {
	return &workers{notifier: n, running: make(map[string]*worker)}
}

// use makes them those of the routes.
func (w *workers) use(routes []string) {
	wanted := make(map[string]bool, len(routes))
	for _, name := range routes {
		wanted[name] = true
		if w.running[name] == nil {
			one := newWorker(w.notifier, name)
			w.running[name] = one
			w.started.Go(one.run)
		}
	}
	for name, one := range w.running {
		if !wanted[name] {
			one.stop()
			delete(w.running, name)
		}
	}
}

func (w *workers) wake() {
	for _, one := range w.running {
		wakeUp(one.news)
	}
}

// hurry ends their backoffs.
func (w *workers) hurry() {
	for _, one := range w.running {
		wakeUp(one.afresh)
	}
}

func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it was woken already
	}
}

// stop ends all and waits for them.
func (w *workers) stop() {
	w.use(nil)
	w.started.Wait()
}

// The times of sending.
const (
	sendTime   = 30 * time.Second // for one try
	finishTime = 3 * time.Second  // for the one that is under way at the end
)

// worker delivers the messages of one route.
type worker struct {
	notifier *Notifier
	name     string
	log      *slog.Logger
	life     context.Context // until it is to end
	stop     context.CancelFunc
	news     chan struct{}
	afresh   chan struct{}

	retry   *retry
	failing bool // the last try failed
}

func newWorker(n *Notifier, name string) *worker {
	w := &worker{
		notifier: n, name: name, log: n.opts.Logger.With("route", name), news: make(chan struct{}, 1), afresh: make(chan struct{}, 1), retry: newRetry(),
	}
	w.life, w.stop = context.WithCancel(context.Background())
	return w
}

// run delivers until it is stopped.
func (w *worker) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.life.Done():
			return
		case <-w.afresh:
			w.retry.afresh()
		case <-w.news:
		case <-timer.C:
		}
		w.notifier.count(w.life, w.name) // a message may hang for long
		wait := w.deliver()
		w.notifier.count(w.life, w.name)
		timer.Reset(wait)
	}
}

// deliver sends what is due and gives how long nothing will be.
func (w *worker) deliver() time.Duration {
	for w.life.Err() == nil {
		if wait := w.retry.wait(); wait > 0 {
			return wait
		}
		m, wait, err := w.claim()
		if err != nil {
			w.notifier.report(w.life, err)
			return outboxPause
		}
		if wait > 0 && w.retry.another {
			w.retry.another = false // there is none
			continue
		}
		if wait > 0 {
			return wait
		}
		if err := w.send(m); err != nil {
			w.notifier.report(w.life, err)
			return outboxPause
		}
	}
	return lookEvery
}

// claim takes the next message that is due, or gives how long none will be.
// Nothing is folded into one that was taken, until it is settled.
func (w *worker) claim() (m notice.Message, wait time.Duration, err error) {
	n := w.notifier
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.ContainsFunc(n.routes, func(r route) bool { return r.Name == w.name }) {
		return m, lookEvery, nil // it was removed just now, and so will be its messages
	}
	m, ok, err := w.next()
	if err != nil || !ok {
		return m, lookEvery, err
	}
	if wait := time.Until(m.Due); wait > 0 {
		return m, wait, nil
	}
	n.busy[m.ID] = true
	return m, 0, nil
}

// next gives the message that is to be sent next: in the order in which they were
// made, or, where another one than that is to be tried, the one that waits longest
// for being tried.
func (w *worker) next() (notice.Message, bool, error) {
	if !w.retry.another {
		m, ok, err := w.notifier.opts.Outbox.DueMessage(w.life, w.name)
		if ok || err != nil {
			return m, ok, err
		}
	}
	return w.notifier.opts.Outbox.NextMessage(w.life, w.name)
}

// send tries to deliver a message and writes down what became of it.
func (w *worker) send(m notice.Message) error {
	defer w.release(m)
	r, ok := w.notifier.find(w.name)
	if !ok {
		return nil // it was removed just now, and so will be the message
	}
	ctx, cancel := sendContext(w.life)
	defer cancel()
	m.Tries++
	said := m
	said.Text = withLoss(m)
	ref, err := w.notifier.send(ctx, r, said)
	failpoint.Here("notice.sent")
	if err != nil && w.life.Err() != nil {
		return nil // we were stopped: whether it arrived is not known
	}
	w.report(err)
	w.notifier.tried(w.name, err)
	mended := false
	if err == nil {
		m.State, m.Ref, m.Error, m.Done = notice.Sent, ref, "", time.Now()
		mended = w.retry.succeeded()
	} else {
		w.retry.failed(&m, failureOf(err))
	}
	// What was sent is to be noted even where we end.
	err = w.notifier.opts.Outbox.SettleMessage(context.WithoutCancel(w.life), m)
	if err == nil && mended {
		err = w.notifier.hurryMessages(w.life, w.name)
	}
	return err
}

func (w *worker) release(m notice.Message) {
	w.notifier.mu.Lock()
	defer w.notifier.mu.Unlock()
	delete(w.notifier.busy, m.ID)
}

// report logs that a route fails, and that it works again, once each.
func (w *worker) report(err error) {
	switch {
	case err != nil && !w.failing:
		w.log.Warn("a notice could not be sent; it is tried again", "error", err)
	case err == nil && w.failing:
		w.log.Info("notices are sent again")
	}
	w.failing = err != nil
}

// sendContext bounds one try. The end of life leaves it a moment.
func sendContext(life context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(life), sendTime)
	unhook := context.AfterFunc(life, func() { time.AfterFunc(finishTime, cancel) })
	return ctx, func() { unhook(); cancel() }
}
