package server

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// Setup is what a reload may change.
type Setup struct {
	// PublicHost is the name by which people reach the API, without a port; empty:
	// it has none.
	PublicHost string
	// Rate is how many requests a caller may send in a second, with twice as many
	// at once; 50 when zero. Cancels and rejects have a budget of their own, of 20
	// times as many. Anonymous callers are not counted: whoever is on this
	// machine has it.
	Rate float64
	// Followers is how many logs, events and ends of runs a caller may follow at
	// once; 200 when zero. What comes to its end by itself is not followed.
	Followers int
	// Links tells that signed links open logs.
	Links bool
	// LogLink gives the link by which people read the log of a run; nil: there is
	// none.
	LogLink func(run string) string
	// Hosts are what the configuration says of each host, by name.
	Hosts map[string]HostSetup
}

// HostSetup is what callers are told of a host beside its state, so that they
// can choose among them.
type HostSetup struct {
	Endpoint string
	Aliases  []string // other addresses of the same engine
	Labels   map[string]string
	Binds    []string // folders that it has and others may lack
}

const (
	defaultRate      = 50
	defaultFollowers = 200
)

func (s Setup) complete() *Setup {
	if s.Rate == 0 {
		s.Rate = defaultRate
	}
	if s.Followers == 0 {
		s.Followers = defaultFollowers
	}
	return &s
}

func tooMany(message string, after time.Duration) error {
	p := problem.New(problem.TooManyRequests, message, "ask again later")
	p.RetryAfter = after
	return p
}

// rates count what each caller asks. There are as many as there are tokens.
type rates struct {
	mu       sync.Mutex
	byCaller map[string]*rate.Limiter
}

// pace is how often something may be asked.
type pace struct {
	inSecond float64
	atOnce   int
}

// stopsFor is how often a caller may cancel and reject, beside all else. Somebody
// clears a few hundred tasks at once, each worker has a second for its cancel,
// and one that is lost lets a container go on: so it is far more than for
// anything else, whatever the rate. It is bounded because each one is written
// down, and the audit log keeps so many of each caller.
func stopsFor(rate float64) pace {
	inSecond := 20 * rate
	return pace{inSecond, max(int(2*inSecond), 1000)}
}

// allow refuses a request that comes too early.
func (l *rates) allow(c access.Caller, p pace) error {
	if c.Anonymous {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byCaller == nil {
		l.byCaller = make(map[string]*rate.Limiter)
	}
	caller := l.byCaller[c.Name]
	if caller == nil || caller.Limit() != rate.Limit(p.inSecond) {
		caller = rate.NewLimiter(rate.Limit(p.inSecond), p.atOnce)
		l.byCaller[c.Name] = caller
	}
	if caller.Allow() {
		return nil
	}
	return tooMany(fmt.Sprintf("%s sends more than %g requests in a second", c.Name, p.inSecond), time.Second)
}

// place is one of those that a request's caller has for what it follows. What
// ends by itself takes none: a caller at its limit is one whose tasks wait, and
// those whose runs have ended are to hear of it.
func (s *Server) place(ctx context.Context) (leave func(), err error) {
	return s.followers.join(callerOf(ctx), s.setup.Load().Followers)
}

// followers count what each caller follows.
type followers struct {
	mu       sync.Mutex
	byCaller map[string]int
}

// join takes a place, and gives what gives it back.
func (f *followers) join(c access.Caller, limit int) (leave func(), err error) {
	if c.Anonymous {
		return func() {}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byCaller[c.Name] >= limit {
		return nil, tooMany(fmt.Sprintf("%s follows %d logs, events and runs already", c.Name, limit), 5*time.Second)
	}
	if f.byCaller == nil {
		f.byCaller = make(map[string]int)
	}
	f.byCaller[c.Name]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.byCaller[c.Name]--; f.byCaller[c.Name] == 0 {
			delete(f.byCaller, c.Name)
		}
	}, nil
}

const (
	// A strike is a wrong token. An address may have some at once and some in a
	// second, and is then told to wait: a token can't be guessed, but trying costs
	// us and fills the network.
	strikesAtOnce   = 20
	strikesInSecond = 1
	// mostAddresses bounds what is remembered. Beyond it strangers share a count.
	mostAddresses = 4096
)

// strikes count the wrong tokens of each address.
type strikes struct {
	mu        sync.Mutex
	byAddress map[netip.Prefix]*rate.Limiter
}

// allow counts a strike; false: the address had too many. A right token is never
// counted, so that nobody is locked out by a neighbour behind the same address.
func (s *strikes) allow(remote string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byAddress == nil {
		s.byAddress = make(map[netip.Prefix]*rate.Limiter)
	}
	network := networkOf(remote)
	address := s.byAddress[network]
	if address == nil {
		if len(s.byAddress) >= mostAddresses {
			s.forget()
		}
		if len(s.byAddress) >= mostAddresses {
			network = netip.Prefix{}
			address = s.byAddress[network]
		}
	}
	if address == nil {
		address = rate.NewLimiter(strikesInSecond, strikesAtOnce)
		s.byAddress[network] = address
	}
	return address.Allow()
}

// forget drops the addresses that have been quiet for long enough.
func (s *strikes) forget() {
	for network, address := range s.byAddress {
		if address.Tokens() >= strikesAtOnce {
			delete(s.byAddress, network)
		}
	}
}

// networkOf is what counts as one address: of IPv6 a network of 64 bits, which
// anybody has.
func networkOf(remote string) netip.Prefix {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := address.Addr().Unmap(), 32
	if ip.Is6() {
		bits = 64
	}
	network, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
