package docker

import (
	"sync"
	"sync/atomic"
	"time"
)

// stall ends a pull that has not moved for a while. An engine downloads a few
// layers at a time, for all its pulls: one that has nothing under way waits for
// its turn as long as another pull on the host moves.
type stall struct {
	limit time.Duration
	host  *lastNews
	end   func()

	mu    sync.Mutex
	timer *time.Timer
	waits bool // it has nothing under way
}

// lastNews is when any pull on a host moved last.
type lastNews struct{ at atomic.Pointer[time.Time] }

func (n *lastNews) note() {
	now := time.Now()
	n.at.Store(&now)
}

// left is how much of a limit is left since then.
func (n *lastNews) left(limit time.Duration) time.Duration {
	if at := n.at.Load(); at != nil {
		return limit - time.Since(*at)
	}
	return 0
}

// watchStall begins to watch a pull that waits.
func watchStall(limit time.Duration, host *lastNews, end func()) *stall {
	s := &stall{limit: limit, host: host, end: end, waits: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(limit, s.fire)
	return s
}

// moved tells that there is news of the pull.
func (s *stall) moved(waits bool) {
	s.host.note()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = waits
	s.timer.Reset(s.limit)
}

func (s *stall) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
}

func (s *stall) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := s.host.left(s.limit); s.waits && left > 0 {
		s.timer.Reset(left)
		return
	}
	s.end()
}
