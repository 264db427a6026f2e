package enroll

import (
	"context"
	"sync"
	"time"
)

// Target is an engine as it is reached from here.
type Target struct {
	Endpoint Endpoint
	// ServerName is what the engine's certificate has to be for; empty: the
	// endpoint's host.
	ServerName string
	CA         []byte // who may have signed it, in PEM; nil: the system's authorities
	Client     Pair   // Prewarm's certificate; none where it is empty
}

// Result is what one check found.
type Result struct {
	Check string
	OK    bool
	What  string
	Mend  string // empty where it is OK
}

// customPort is where engines listen without TLS, by custom.
const customPort = "2375"

// Check asks the engine's machine, from here, whether its engine is open to
// Prewarm and to nobody else. Nothing is changed there. Files that can't be used
// are an error; all else is a result.
func Check(ctx context.Context, t Target) ([]Result, error) {
	c, err := newChecker(t)
	if err != nil {
		return nil, err
	}
	checks := []func(context.Context) []Result{
		c.ours,
		func(ctx context.Context) []Result { return []Result{c.plain(ctx, t.Endpoint.Port)} },
		func(ctx context.Context) []Result { return []Result{c.without(ctx)} },
		func(ctx context.Context) []Result { return []Result{c.stranger(ctx)} },
	}
	if t.Endpoint.Port != customPort {
		checks = append(checks, func(ctx context.Context) []Result { return []Result{c.plain(ctx, customPort)} })
	}
	found := make([][]Result, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() { found[i] = check(ctx) })
	}
	all.Wait()
	var results []Result
	for _, f := range found {
		results = append(results, f...)
	}
	return results, ctx.Err()
}

// Passed tells whether all is as it should be.
func Passed(results []Result) bool {
	for _, r := range results {
		if !r.OK {
			return false
		}
	}
	return true
}

// again is how long Await waits between two looks.
const again = 2 * time.Second

// Await checks until all is as it should be, or patience is over, and gives what
// it found last.
func Await(ctx context.Context, t Target, patience time.Duration) ([]Result, error) {
	over := time.Now().Add(patience)
	for {
		results, err := Check(ctx, t)
		if err != nil || Passed(results) || time.Until(over) < again {
			return results, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(again):
		}
	}
}
