package warmer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// A registry that says "too many requests" to one host is left alone by all of
// them: the limit is the registry's, not the host's.
func TestARegistryThatHadEnoughIsLeftAloneByAll(t *testing.T) {
	t.Parallel()
	var names []string
	for n := range 6 {
		names = append(names, fmt.Sprint("h", n))
	}
	configured(t, names, func(s *scene) { s.opts.Pulls = 1 }, func(s *scene) {
		one := s.push(1)
		limited := problem.New(problem.RegistryLimited, "pull: too many requests", "")
		limited.RetryAfter = 2 * time.Minute
		s.hosts["h0"].FailPull(one, limited, 1)
		s.check()
		s.settle(119 * time.Second)
		tried := 0
		for _, h := range s.hosts {
			tried += h.Pulls(one)
		}
		if tried != 1 {
			t.Errorf("%d pulls within the registry's Retry-After", tried)
		}
		s.settle(2 * time.Minute)
		s.expectCurrent(one)
	})
}
