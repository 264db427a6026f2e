package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// act is what becomes of a piece of work while it goes on.
type act string

const (
	leave  act = "left alone"
	again  act = "asked for again" // the worker dies, and a retry asks in the same epoch
	anew   act = "cleared"         // somebody wants it anew: a higher epoch
	cancel act = "canceled"
)

// plan is a piece of work.
type plan struct {
	key   string
	scope string // a pin scope; empty: none
	lines int    // on each stream
	pause time.Duration
	code  int
	tries int // as long as it fails

	follow bool // its log
	act    act
	after  time.Duration // since the submit was answered
}

const (
	longest   = 40 * time.Second // a program lives
	mostLines = 4000
)

// draw makes the piece of work of that number. The same seed and number make the
// same one.
func draw(seed uint64, number int) plan {
	r := chance(seed, uint64(number))
	p := plan{
		key:    fmt.Sprintf("%s%d", keysOf(seed), number),
		pause:  []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}[r.IntN(5)],
		tries:  1 + r.IntN(2),
		follow: r.IntN(5) > 0,
		act:    leave,
		after:  time.Duration(r.Int64N(int64(longest / 2))),
	}
	p.lines = 1 + r.IntN(mostLines)
	if p.pause > 0 {
		p.lines = min(p.lines, 1+int(time.Duration(r.Int64N(int64(longest)))/p.pause))
	}
	if r.IntN(4) == 0 {
		p.code = terminated + 1 + r.IntN(60)
	}
	if r.IntN(3) == 0 {
		p.scope = fmt.Sprint("scope-", r.IntN(10))
	}
	switch r.IntN(10) {
	case 0:
		p.act = cancel
	case 1:
		p.act = anew
	case 2, 3:
		p.act = again
	}
	return p
}

// keysOf is what all keys of a seed begin with.
func keysOf(seed uint64) string { return fmt.Sprintf("soak-%x-", seed) }

// chance is what a seed gives to one of those who need some.
func chance(seed, whose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, whose)) } //nolint:gosec // chance, no secret

// command is what the program is told.
func (p plan) command() []string {
	return []string{"work", ledgerTarget, p.key, fmt.Sprint(p.lines), p.pause.String(), fmt.Sprint(p.code)}
}
