package dockertest

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// labelInstance tells whose a volume is, as in internal/docker.
const labelInstance = "prewarm.instance"

// store is a named volume.
type store struct {
	labels map[string]string
	files  map[string][]byte // by their path in it
}

// volume gives a named volume, and makes it where it is missing. The caller
// holds the lock.
func (f *Fake) volume(name string) *store {
	v := f.volumes[name]
	if v == nil {
		v = &store{files: map[string][]byte{}}
		f.volumes[name] = v
	}
	return v
}

// MakeVolume makes a volume of our instance.
func (f *Fake) MakeVolume(ctx context.Context, name string, labels map[string]string) error {
	return f.calls(CallMakeVolume, func() error {
		what := "make volume " + name
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reach(ctx, what); err != nil {
			return err
		}
		if v := f.volumes[name]; v != nil && v.labels[labelInstance] != f.instance {
			return f.refuse(problem.EngineAPI, what, "a volume of that name is there, and it is not ours")
		} else if v != nil {
			return nil
		}
		own := map[string]string{}
		maps.Copy(own, labels)
		own[labelInstance] = f.instance
		f.volume(name).labels = own
		f.wake()
		return nil
	})
}

// RemoveVolume removes a volume of our instance that no container uses.
func (f *Fake) RemoveVolume(ctx context.Context, name string) error {
	return f.calls(CallRemoveVolume, func() error {
		what := "remove volume " + name
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reach(ctx, what); err != nil {
			return err
		}
		v := f.volumes[name]
		switch {
		case v == nil:
			return nil
		case v.labels[labelInstance] != f.instance:
			return f.refuse(problem.EngineAPI, what, "it is not ours")
		}
		for _, b := range f.containers {
			if slices.Contains(volumesOf(b.of), name) {
				return f.refuse(problem.VolumeInUse, what, "a container uses it")
			}
		}
		delete(f.volumes, name)
		f.wake()
		return nil
	})
}

// Volumes are the labels of all named volumes, by name.
func (f *Fake) Volumes() map[string]map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]map[string]string{}
	for name, v := range f.volumes {
		all[name] = maps.Clone(v.labels)
	}
	return all
}

// volumesOf are the named volumes that a container mounts.
func volumesOf(c runner.Container) []string {
	var names []string
	for _, m := range c.Spec.Mounts {
		if m.Kind == runner.Volume && m.Source != "" {
			names = append(names, m.Source)
		}
	}
	if c.Spec.ScopeVolume != "" {
		names = append(names, c.ScopeVolume)
	}
	return names
}

// place gives where a path of a container is kept, and under which name: in a
// named volume, or in the container. The caller holds the lock.
func (f *Fake) place(b *box, file string) (map[string][]byte, string) {
	mounts := slices.Clone(b.of.Spec.Mounts)
	if target := b.of.Spec.ScopeVolume; target != "" {
		mounts = append(mounts, runner.Mount{Kind: runner.Volume, Source: b.of.ScopeVolume, Target: target})
	}
	for _, m := range mounts {
		if m.Kind == runner.Volume && m.Source != "" && below(file, m.Target) {
			return f.volume(m.Source).files, strings.TrimPrefix(file, path.Clean(m.Target))
		}
	}
	return b.own, file
}
