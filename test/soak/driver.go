package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// retryPause is how long a driver waits before it asks again.
const retryPause = 250 * time.Millisecond

// driver does a piece of work as Airflow's operator would: it submits under a
// key, follows the log, comes back after a lost connection, and tries again where
// nobody knows the outcome.
type driver struct {
	plan
	client *api.Client
	ledger string // the folder, on this machine
	book   *book
	epoch  int64
	begun  int    // submits
	run    string // the last one that answered
}

// work sees the piece of work through.
func (d *driver) work(ctx context.Context) error {
	failures := 0
	for {
		run, err := d.submit(ctx)
		if err != nil {
			return err
		}
		run, err = d.attend(ctx, run)
		if err != nil {
			return err
		}
		d.book.count("ended: " + run.State)
		switch run.State {
		case "interrupted", "lost", "refused":
			d.book.count("tried again after " + run.State)
			if err := rest(ctx, retryPause); err != nil {
				return err
			}
			continue
		case "failed":
			if failures++; failures < d.tries {
				d.book.count("tried again after failed")
				continue
			}
		}
		d.book.over(piece{plan: d.plan, epoch: d.epoch, last: run})
		return nil
	}
}

// submit asks for the work until there is an answer.
func (d *driver) submit(ctx context.Context) (api.Run, error) {
	d.begun++
	begin := time.Now()
	ask := api.SubmitRun{
		Image: imageName, Command: d.command(), Network: "none",
		Mounts: []api.Mount{{Type: "bind", Source: d.ledger, Target: ledgerTarget}},
		Key:    d.key, Epoch: d.epoch, Join: "success", PinScope: d.scope, WaitWarm: api.Duration(5 * time.Minute),
	}
	var answer api.Submitted
	err := d.insist(ctx, "submit", func() (err error) {
		answer, err = d.client.Submit(ctx, ask, fmt.Sprintf("%s/%d/%d", d.key, d.epoch, d.begun))
		return err
	})
	d.book.waited("an answer to a submit", time.Since(begin))
	d.run = answer.ID
	if answer.Joined {
		d.book.count("joined")
	}
	return answer.Run, err
}

// insist repeats a call for as long as there is no server, or no room.
func (d *driver) insist(ctx context.Context, what string, call func() error) error {
	for {
		err := call()
		switch problem.CodeOf(err) {
		case problem.ServerUnreachable, problem.ServerLost, problem.Stopping, problem.QueueFull:
			d.book.count(what + " again: " + string(problem.CodeOf(err)))
		default:
			return err
		}
		if err := rest(ctx, retryPause); err != nil {
			return err
		}
	}
}

// attend follows a run to its end, and does meanwhile what is planned, once.
func (d *driver) attend(ctx context.Context, run api.Run) (api.Run, error) {
	if d.act == leave {
		return d.ended(ctx, run.ID)
	}
	soon, stop := context.WithTimeout(ctx, d.after)
	done, err := d.ended(soon, run.ID)
	stop()
	if err == nil || ctx.Err() != nil || !errors.Is(soon.Err(), context.DeadlineExceeded) {
		return done, err
	}
	acted := d.act
	d.act = leave
	d.book.count("runs " + string(acted))
	switch acted {
	case cancel:
		err := d.insist(ctx, "cancel", func() error { _, err := d.client.Cancel(ctx, run.ID); return err })
		if err != nil {
			return run, err
		}
		d.book.cancel(run.ID)
		return d.ended(ctx, run.ID)
	case anew:
		d.epoch++
	}
	next, err := d.submit(ctx)
	if err != nil {
		return run, err
	}
	return d.ended(ctx, next.ID)
}

// ended gives a run once it is over, and reads its log on the way.
func (d *driver) ended(ctx context.Context, id string) (run api.Run, err error) {
	if d.follow {
		if err := d.readLog(ctx, id); err != nil {
			return run, err
		}
	}
	err = d.insist(ctx, "wait", func() (err error) {
		run, err = d.client.Wait(ctx, id, 10*time.Minute)
		return err
	})
	if err == nil && run.EndedAt != nil {
		d.book.waited("being told of an end", time.Since(*run.EndedAt))
		d.book.waited("a place", time.Duration(run.QueueSeconds*float64(time.Second)))
	}
	return run, err
}

// readLog follows a log by its cursor, over as many connections as it takes.
func (d *driver) readLog(ctx context.Context, id string) error {
	r := newReading()
	defer func() {
		d.book.read(id, r.mark())
		if r.wrong != "" {
			d.book.breach(api.Run{ID: id}, "who followed the log read: %s", r.wrong)
		}
	}()
	return d.insist(ctx, "follow", func() error {
		return d.client.Logs(ctx, id, r.seq, true, func(l api.LogLine) error {
			r.take(l)
			return nil
		})
	})
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
