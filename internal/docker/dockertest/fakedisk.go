package dockertest

import (
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// space is the disk of a fake host.
type space struct {
	disk   warmer.Disk // as it was set
	fills  bool
	room   int64 // what would be free without any image
	staged int64 // of pulls under way
	leaks  bool
	leaked int64
}

// SetDisk sets what Probe tells of the host's disk. Pulls do not fill it, unless
// FillDisk was called.
func (f *Fake) SetDisk(d warmer.Disk) {
	f.change(func() {
		f.space.disk = d
		f.space.room = d.Free + f.stored()
	})
}

// FillDisk lets images take space from now on: a pull takes what its layers
// need from the free space as it goes, each layer that is on the host counts
// once, what is removed or not pulled to its end is given back, and a pull that
// does not fit fails with problem.NoSpace. A real pull needs the packed layers'
// space beside that of the unpacked ones; this one doesn't.
func (f *Fake) FillDisk() {
	f.change(func() {
		f.space.fills = true
		f.space.room = f.space.disk.Free + f.stored()
	})
}

// LeakRemovals lets removed images keep their space, as a forgotten lease does
// in the containerd store for hours after a pull was cancelled.
func (f *Fake) LeakRemovals(on bool) { f.change(func() { f.space.leaks = on }) }

// stored is what images and pulls take of the disk. The caller holds the lock.
func (f *Fake) stored() int64 {
	sum := f.space.staged + f.space.leaked
	for _, size := range f.layers() {
		sum += size
	}
	return sum
}

// diskNow is the disk as it stands. The caller holds the lock.
func (f *Fake) diskNow() warmer.Disk {
	d := f.space.disk
	if f.space.fills {
		d.Free = max(0, f.space.room-f.stored())
	}
	return d
}

// stage takes space for what a pull brings. The caller holds the lock.
func (f *Fake) stage(what string, bytes int64) error {
	if f.space.fills && f.diskNow().Free < bytes {
		return f.refuse(problem.NoSpace, what, "no space left on device")
	}
	f.space.staged += bytes
	return nil
}

// missing is how many bytes a pull of pin would bring. The caller holds the
// lock.
func (f *Fake) missing(pin registry.Pin) (sum int64) {
	had := f.layers()
	for _, l := range f.upstream.pushed[pin].layers {
		if _, ok := had[l.ID]; !ok {
			sum += l.Bytes
		}
	}
	return sum
}
