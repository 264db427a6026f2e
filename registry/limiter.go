package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/problem"
)

// overallRate is how many requests a second all registries together get.
const overallRate = 50

// limiter spaces the requests to one registry, every kind of them: those that
// ask for a token count where abuse is counted, as those that ask for a tag do.
//
// Calls line up with their first request. What a call sends after that goes
// ahead of the line, so that a token is still good when it is used, however
// long the line is.
type limiter struct {
	line    chan struct{} // holds one value while the first in line waits for its turn
	waiting atomic.Int64  // calls in line
	own     *rate.Limiter
	overall *rate.Limiter // shared by all registries
}

func newLimiter(host string, perSecond float64, overall *rate.Limiter) *limiter {
	perSecond, burst := rateOf(host, perSecond)
	return &limiter{line: make(chan struct{}, 1), own: rate.NewLimiter(rate.Limit(perSecond), burst), overall: overall}
}

func newOverall(perSecond float64) *rate.Limiter {
	perSecond = overallOf(perSecond)
	return rate.NewLimiter(rate.Limit(perSecond), burstOf(perSecond))
}

// set changes a rate while requests wait; what it has saved up stays.
func set(l *rate.Limiter, perSecond float64, burst int) {
	l.SetLimit(rate.Limit(perSecond))
	l.SetBurst(burst)
}

// rateOf is the rate of a registry; 0 asks for its default.
func rateOf(host string, perSecond float64) (float64, int) {
	if perSecond > 0 {
		return perSecond, burstOf(perSecond)
	}
	return defaultRate(host)
}

func overallOf(perSecond float64) float64 {
	if perSecond > 0 {
		return perSecond
	}
	return overallRate
}

// burstOf lets two seconds' worth go at once.
func burstOf(perSecond float64) int { return max(1, int(math.Ceil(min(2*perSecond, 1e6)))) }

// defaultRate is what a registry stands by what is known of it. Docker Hub
// counts all requests of an address, and people who watch it report trouble
// above a hundred a minute; a registry of one's own is as near as it is ours.
func defaultRate(host string) (perSecond float64, burst int) {
	switch {
	case canonicalHost(host) == "docker.io":
		return 1, 5
	case isNear(host):
		return 100, 200
	}
	return 10, 20
}

// isNear tells whether a host is this machine or in a private network, as far
// as its name shows.
func isNear(host string) bool {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast())
}

// wait waits for a request's turn, ahead of the line where its call has had one
// already. Where the context would end before, it fails at once.
func (l *limiter) wait(ctx context.Context, ahead bool) error {
	if !ahead {
		if err := l.lineUp(ctx); err != nil {
			return err
		}
		defer func() { <-l.line }()
	}
	for _, each := range []*rate.Limiter{l.own, l.overall} {
		err := each.Wait(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if each == l.overall {
			return tooMany("gets no turn in the time that the caller gave: all registries together get at most %g requests a second from us", each)
		}
		return l.tooLong()
	}
	return nil
}

// lineUp waits until the caller is the first in line.
func (l *limiter) lineUp(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ahead := l.waiting.Add(1) - 1
	defer l.waiting.Add(-1)
	deadline, ends := ctx.Deadline()
	if ends && float64(ahead)-l.own.Tokens() > time.Until(deadline).Seconds()*float64(l.own.Limit()) {
		return l.tooLong()
	}
	select {
	case l.line <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return l.tooLong() // the registry was not asked, and is not to blame
		}
		return ctx.Err()
	}
}

func (l *limiter) tooLong() error {
	return tooMany("gets at most %g requests a second from us, and no turn came in the time that the caller gave", l.own)
}

func tooMany(why string, at *rate.Limiter) error {
	return &errHeld{
		code: problem.RegistryLimited,
		why:  fmt.Sprintf(why, float64(at.Limit())),
		mend: "watch fewer tags, or each less often; or raise the rate where the registry allows it",
	}
}
