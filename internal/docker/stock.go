package docker

import (
	"maps"
	"sync"
	"time"

	"github.com/prewarm/prewarm/warmer/prune"
)

// stock remembers what costs a call for each image and each ended container and
// does not change: without it a list of a host with a hundred images is two
// hundred calls. It belongs to a session, and holds no more than was last listed.
type stock struct {
	mu    sync.Mutex
	made  map[string]made      // of images, by id
	ended map[string]time.Time // when containers ended, by id; one that ran again unseen has its earlier end
}

// made is how an image was made.
type made struct {
	// size is what the list said of the image. In the containerd store the size
	// of an id changes: while it is unpacked, and when another platform of it is
	// pulled.
	size int64
	// bytes are those that its removal frees, if it shares none.
	bytes  int64
	layers []prune.Layer
	exact  bool
}

func newStock() *stock { return &stock{made: map[string]made{}, ended: map[string]time.Time{}} }

// image gives what is known of an image that has this size in the list.
func (s *stock) image(id string, size int64) (made, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.made[id]
	return m, ok && m.size == size
}

func (s *stock) learn(id string, m made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[id] = m
}

// end gives when a container ended, where that is known.
func (s *stock) end(id string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.ended[id]
	return at, ok
}

func (s *stock) learnEnd(id string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[id] = at
}

// started forgets when a container ended: it will end anew.
func (s *stock) started(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ended, id)
}

// keep drops what is known of all other images and containers.
func (s *stock) keep(images, containers map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.made, func(id string, _ made) bool { return !images[id] })
	maps.DeleteFunc(s.ended, func(id string, _ time.Time) bool { return !containers[id] })
}
