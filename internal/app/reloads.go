package app

import (
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/server"
)

// reloads counts the attempts to change the configuration.
type reloads struct {
	mu   sync.Mutex
	told server.Reloads
}

func newReloads() *reloads { return &reloads{told: server.Reloads{Since: time.Now()}} }

func (r *reloads) status() server.Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// took notes that what the files say is in force, and whether that is new.
func (r *reloads) took(changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told.RefusedAt, r.told.Err = time.Time{}, ""
	if changed {
		r.told.Since = time.Now()
		r.told.Taken++
	}
}

// refused notes an attempt that failed, and tells whether the one before did not
// fail in the same way.
func (r *reloads) refused(err error) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news = r.told.Err != err.Error()
	r.told.Refused++
	r.told.RefusedAt, r.told.Err = time.Now(), err.Error()
	return news
}
