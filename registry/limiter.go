package registry

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/problem"
)

// overallRate is how many requests a second all registries together get.
const overallRate = 50

// limiter spaces the requests to one registry, every kind of them: those that
// ask for a token count where abuse is counted, as those that ask for a tag do.
type limiter struct {
	own     *rate.Limiter
	overall *rate.Limiter // shared by all registries
}

func newLimiter(host string, perSecond float64, overall *rate.Limiter) limiter {
	perSecond, burst := rateOf(host, perSecond)
	return limiter{own: rate.NewLimiter(rate.Limit(perSecond), burst), overall: overall}
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

// wait waits for a request's turn. Where the context would end before, it fails
// at once.
func (l limiter) wait(ctx context.Context) error {
	for _, each := range []*rate.Limiter{l.own, l.overall} {
		err := each.Wait(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &errHeld{
			code: problem.RegistryLimited,
			why:  fmt.Sprintf("gets at most %g requests a second from us, and no turn came in the time that the caller gave", float64(each.Limit())),
			mend: "watch fewer tags, or each less often; or raise the rate where the registry allows it",
		}
	}
	return nil
}
