package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// The pauses between two tries to reach a server grow from the first to the
// longest. They are never equal in two programs, which a restarted server would
// else meet all at once.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// patience says how often, and how long, a server that can't be reached is
// tried.
type patience struct {
	limit time.Duration // without contact; 0: not once again
	since time.Time     // when contact was lost; zero: it is there
	pause time.Duration
	// lost is told once when contact is lost, and why; nil: nobody is.
	lost func(error)
}

// contact tells that the server was reached.
func (p *patience) contact() { p.since = time.Time{} }

// progress tells that it did what it is there for.
func (p *patience) progress() { p.since, p.pause = time.Time{}, 0 }

// rest waits after a failure until the next try; false: there is to be none.
func (p *patience) rest(ctx context.Context, failure error) bool {
	if p.since.IsZero() {
		p.since = time.Now()
		if p.lost != nil && p.limit > 0 {
			p.lost(failure)
		}
	}
	left := p.limit - time.Since(p.since)
	if left <= 0 {
		return false
	}
	p.pause = min(max(2*p.pause, firstPause), longestPause)
	jittered := p.pause/2 + rand.N(p.pause/2)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(jittered, left)):
		return true
	}
}

// regain waits after a failure until the server answers for a run again, or
// gives the reason why it does not.
func (p *patience) regain(ctx context.Context, client *api.Client, id string, failure error) error {
	for p.rest(ctx, failure) {
		run, err := look(ctx, client, id)
		switch {
		case err == nil && run.Ended: // no reason to try for ever what failed
			return nil
		case err == nil:
			p.contact()
			return nil
		case !passing(err):
			return err
		}
		failure = err
	}
	return failure
}

// lookWithin bounds the question how a run is, so that a server that hangs is
// one that can't be reached.
const lookWithin = 10 * time.Second

func look(ctx context.Context, client *api.Client, id string) (api.Run, error) {
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	return client.Run(ctx, id)
}

// passing tells whether a failure may be over soon: the server is restarted, or
// the way to it is.
func passing(err error) bool {
	switch problem.CodeOf(err) {
	case problem.ServerLost, problem.ServerUnreachable, problem.Stopping, problem.TooManyRequests:
		return true
	default:
		return false
	}
}
