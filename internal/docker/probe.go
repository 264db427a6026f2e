package docker

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// The image stores. They differ in what an image's id and size mean.
const (
	classic    = "classic"
	containerd = "containerd"
)

// Probe asks who answers, negotiates anew, and leaves our marker on an engine
// that has none.
func (h *Host) Probe(ctx context.Context) (warmer.Engine, error) {
	engine, info, err := h.who(ctx)
	if err != nil {
		return warmer.Engine{}, err
	}
	mark, err := h.marker(ctx)
	if err != nil {
		return warmer.Engine{}, err
	}
	engine.Marker, engine.MarkerHost = mark.Labels[labelMarker], mark.Labels[labelHost]
	engine.Disk = h.disk(ctx, info, mark.Mountpoint)
	return engine, nil
}

// Examine asks who answers, as Probe does, and changes nothing on the engine: it
// gives no marker. The free space that it tells for a unix endpoint is that of
// the folder which the engine names, if there is one here.
func (h *Host) Examine(ctx context.Context) (warmer.Engine, error) {
	engine, info, err := h.who(ctx)
	if err == nil {
		engine.Disk = h.disk(ctx, info, info.DockerRootDir)
	}
	return engine, err
}

// who negotiates anew and asks the engine about itself.
func (h *Host) who(ctx context.Context) (warmer.Engine, system.Info, error) {
	s, err := h.reconnect(ctx)
	if err != nil {
		return warmer.Engine{}, system.Info{}, err
	}
	asked := time.Now()
	info, err := h.info(ctx, s)
	if err != nil {
		return warmer.Engine{}, system.Info{}, err
	}
	known := factsOf(info)
	return warmer.Engine{
		Version: info.ServerVersion, APIVersion: s.api.ClientVersion(),
		ImageStore: known.store, Platform: known.platform,
		CPUs: info.NCPU, Memory: info.MemTotal,
		ClockOffset: clockOffset(info.SystemTime, asked, time.Now()),
	}, info, nil
}

// clockOffset is how far the engine's clock is ahead of ours, taking its time as
// that of the middle between question and answer; zero where it tells none.
func clockOffset(told string, asked, answered time.Time) time.Duration {
	at := engineTime(told)
	if at.IsZero() {
		return 0
	}
	return at.Sub(asked.Add(answered.Sub(asked) / 2))
}

// info asks the engine about itself and remembers what verifications need.
func (h *Host) info(ctx context.Context, s *session) (system.Info, error) {
	short, cancel := context.WithTimeout(ctx, inspectLimit)
	defer cancel()
	info, err := s.api.Info(short)
	if err != nil {
		return system.Info{}, h.explain(ctx, s, "ask for the engine's facts", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts = factsOf(info)
	return info, nil
}

// factsOf gives the session's facts, asking the engine where nobody has yet.
func (h *Host) factsOf(ctx context.Context, s *session) (facts, error) {
	s.mu.Lock()
	known := s.facts
	s.mu.Unlock()
	if !known.platform.IsZero() {
		return known, nil
	}
	info, err := h.info(ctx, s)
	return factsOf(info), err
}

func factsOf(info system.Info) facts {
	f := facts{
		platform: platformOf(info.OSType, info.Architecture), store: classic,
		version: info.ServerVersion, liveRestore: info.LiveRestoreEnabled,
	}
	for _, pair := range info.DriverStatus {
		// The only trace of the image store in the API.
		if pair == [2]string{"driver-type", "io.containerd.snapshotter.v1"} {
			f.store = containerd
		}
	}
	return f
}

// platformOf turns the machine's words (uname -m) into those of the OCI image
// specification. What is the same in both passes through.
func platformOf(os, machine string) registry.Platform {
	p := registry.Platform{OS: strings.ToLower(os), Architecture: strings.ToLower(machine)}
	switch p.Architecture {
	case "x86_64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "armv7l", "armv6l":
		p.Architecture, p.Variant = "arm", p.Architecture[len("arm"):len("armv7")]
	case "i386", "i686":
		p.Architecture = "386"
	}
	return p
}

// marker gives the volume by which we know this engine again, and makes it
// where it is missing. The engine's own id proves nothing: several engines can
// share one.
func (h *Host) marker(ctx context.Context) (volume.Volume, error) {
	name := "prewarm-" + h.instance
	var v volume.Volume
	err := h.call(ctx, inspectLimit, "read the marker", func(ctx context.Context, s *session) (err error) {
		v, err = s.api.VolumeInspect(ctx, name)
		return err
	})
	if errdefs.IsNotFound(err) {
		v, err = h.leaveMarker(ctx, name)
	}
	if err == nil && (v.Labels[labelInstance] != h.instance || v.Labels[labelMarker] == "") {
		err = problem.New(problem.EngineAPI, "read the marker on host "+h.name+": the volume "+name+" is there, but without our labels",
			"remove it: docker volume rm "+name)
	}
	return v, err
}

// Instances are the ids of all installations that have left a marker on the
// engine, this one's among them, in order.
func (h *Host) Instances(ctx context.Context) ([]string, error) {
	var list volume.ListResponse
	err := h.call(ctx, listLimit, "list markers", func(ctx context.Context, s *session) (err error) {
		list, err = s.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelMarker))})
		return err
	})
	var ids []string
	for _, v := range list.Volumes {
		if v != nil {
			ids = append(ids, v.Labels[labelInstance])
		}
	}
	slices.Sort(ids)
	return ids, err
}

// leaveMarker creates the marker. Creating a volume that exists gives the one
// that exists, so of two entries that reach one engine the first one wins and
// both see the same marker.
func (h *Host) leaveMarker(ctx context.Context, name string) (v volume.Volume, err error) {
	err = h.call(ctx, createLimit, "leave the marker", func(ctx context.Context, s *session) (err error) {
		v, err = s.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{
			labelInstance: h.instance,
			labelHost:     h.name,
			labelMarker:   rand.Text(),
		}})
		return err
	})
	return v, err
}
