package dockertest

import (
	"fmt"
	"slices"
	"time"
)

// restores marks the lives of an engine under live-restore, as in
// internal/docker.
const restores = "+live-restore"

// madeUp is the code of a container whose end nobody saw, as in internal/docker.
const madeUp = 255

// engineVersion is what the fake says it is.
const engineVersion = "20.10.24"

// lifeName names the engine's present life. The caller holds the lock.
func (f *Fake) lifeName() string {
	name := fmt.Sprintf("%s-life-%d", f.name, f.life)
	if f.liveRestore {
		name += restores
	}
	return name
}

// now is the engine's clock. The caller holds the lock.
func (f *Fake) now() time.Time { return time.Now().Add(f.offset).UTC().Round(0) }

// SetLiveRestore lets containers outlive the engine from now on, or no more.
func (f *Fake) SetLiveRestore(on bool) { f.change(func() { f.liveRestore = on }) }

// SetClockOffset sets by how much the engine's clock is ahead. It may be set
// back while programs print.
func (f *Fake) SetClockOffset(d time.Duration) { f.change(func() { f.offset = d }) }

// SetDown cuts the engine off, or brings it back. While it is down every call
// fails with problem.HostUnreachable, pulls, logs and waits under way too.
// Containers run on, as behind a cut network.
func (f *Fake) SetDown(down bool) {
	f.change(func() {
		f.down = down
		f.cuts++
	})
}

// SetStopping makes the engine one that is being stopped, and lies: waits
// answer 0, logs end as if all were well, and only Confirm fails.
func (f *Fake) SetStopping(stopping bool) {
	f.change(func() { f.stopping = stopping })
}

// Restart ends the engine and brings it back at once.
func (f *Fake) Restart() {
	f.Halt()
	f.Resume()
}

// Halt ends the engine: as SetDown, but its containers are killed, or run on
// without it under live-restore. What they print then is kept only if they still
// run when it comes back.
func (f *Fake) Halt() {
	f.change(func() {
		f.away = true
		f.cuts++
		for _, b := range f.containers {
			if b.running() && !f.liveRestore {
				f.over(b, exitKilled)
			}
		}
	})
}

// Resume brings back an engine that was ended, in a new life.
func (f *Fake) Resume() {
	f.change(func() {
		f.away, f.stopping = false, false
		f.life++
		for _, b := range f.containers {
			if b.running() {
				b.log = append(b.log, b.away...)
			}
			b.away = nil
		}
	})
}

// HaltForgetting ends the engine as a crash does that comes after it started its
// running containers and before it wrote that down: once it is back they look as
// if they had never been started. What they printed is kept.
func (f *Fake) HaltForgetting() {
	f.change(func() {
		f.away = true
		f.cuts++
		for id, b := range f.containers {
			if b.running() {
				b.kill()
				f.containers[id] = &box{
					id: b.id, of: b.of, image: b.image, named: b.named, foreign: b.foreign, created: b.created, log: b.log, own: b.own,
				}
			}
		}
	})
}

// Wipe replaces the engine by an empty one: images, containers, volumes and the
// marker are gone. What was pushed stays.
func (f *Fake) Wipe() {
	f.change(func() {
		for _, b := range f.containers {
			b.kill()
		}
		f.wiped++
		f.cuts++
		f.life++
		f.marker = ""
		f.images, f.containers = map[string]*held{}, map[string]*box{}
		f.volumes, f.space.leaked = map[string]*store{}, 0
	})
}

// Running are the runs whose containers run, sorted; one that has two is there
// twice.
func (f *Fake) Running() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var runs []string
	for _, b := range f.containers {
		if b.running() && !b.foreign {
			runs = append(runs, b.of.Run)
		}
	}
	slices.Sort(runs)
	return runs
}
