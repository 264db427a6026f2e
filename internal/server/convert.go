package server

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// when writes a time that may not have come.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// specOf reads what a submit wants executed.
func specOf(r api.SubmitRun) (runner.Spec, error) {
	for i, e := range r.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			// Not repeated: it may be a secret that lost its name.
			return runner.Spec{}, problem.New(problem.InvalidRequest, fmt.Sprintf("env[%d]: it is no NAME=value", i), "write each as NAME=value")
		}
	}
	cpus := int64(math.Round(r.CPUs * 1e9))
	if r.CPUs > 0 && cpus == 0 {
		return runner.Spec{}, problem.New(problem.InvalidRequest, fmt.Sprintf("cpus: %g is less than a billionth", r.CPUs), "leave it out for no limit")
	}
	return runner.Spec{
		Image: r.Image, Command: r.Command, Entrypoint: r.Entrypoint, Env: r.Env, Network: r.Network, User: r.User, Workdir: r.Workdir,
		Memory: r.Memory, NanoCPUs: cpus,
	}, nil
}

func runOf(r runner.Run) api.Run {
	run := api.Run{
		ID: r.ID, State: string(r.State), Ended: r.State.Ended(), Image: r.Image, Asked: r.Spec.Image, Pin: r.Pin.String(), Command: r.Spec.Command,
		Host: r.Host, ContainerID: r.ContainerID, OOMKilled: r.OOMKilled, Reason: string(r.Reason), Detail: r.Detail,
		SubmittedAt: r.Submitted, PlacedAt: when(r.Placed), StartedAt: when(r.Started), FirstLineAt: when(r.FirstLine), EndedAt: when(r.Ended),
	}
	if r.Exited {
		run.ExitCode = &r.ExitCode
	}
	return run
}

func lineOf(e runner.Entry) api.LogLine {
	return api.LogLine{Seq: e.Seq, Time: e.Time, Stream: string(e.Stream), Text: e.Text, Open: e.Open}
}

// imagesOf puts the tracks of each image together, in their order.
func imagesOf(tracks []warmer.TrackStatus) []api.Image {
	images := []api.Image{}
	for _, t := range tracks {
		id := t.Track.ID
		if n := len(images); n == 0 || images[n-1].Name != id.Image {
			images = append(images, api.Image{Name: id.Image, Repository: t.Track.Repository.String()})
		}
		last := &images[len(images)-1]
		last.Tracks = append(last.Tracks, trackOf(t))
	}
	return images
}

func trackOf(t warmer.TrackStatus) api.Track {
	track := api.Track{Tag: t.Track.ID.Tag, SupersededBytes: t.SupersededBytes, CheckedAt: when(t.CheckedAt), Coming: []api.Rollout{}}
	if t.CheckError != nil {
		track.CheckError = t.CheckError.Error()
	}
	if t.Current != nil {
		r := rolloutOf(*t.Current)
		track.Current = &r
	}
	for _, r := range t.Coming {
		track.Coming = append(track.Coming, rolloutOf(r))
	}
	return track
}

func rolloutOf(r warmer.RolloutStatus) api.Rollout {
	rollout := api.Rollout{
		ID: r.ID, Digest: string(r.Pin.Digest()), Pin: r.Pin.String(), Phase: string(r.Phase),
		SeenAt: r.Seen, PromotedAt: when(r.Promoted), Hosts: []api.HostCopy{},
	}
	for _, c := range r.Hosts {
		rollout.Hosts = append(rollout.Hosts, copyOf(c))
	}
	return rollout
}

func copyOf(c warmer.HostCopy) api.HostCopy {
	host := api.HostCopy{
		Host: c.Host, State: string(c.State), Reason: c.Reason, PlatformDigest: string(c.PlatformDigest),
		Bytes: c.Bytes, Attempts: c.Attempts, NextTry: when(c.NextTry),
	}
	if !c.Platform.IsZero() {
		host.Platform = c.Platform.String()
	}
	if c.State == warmer.StatePulling {
		host.Progress = &api.Progress{Bytes: c.Progress.Bytes, TotalBytes: c.Total, LayersDone: c.Progress.LayersDone, Layers: c.Progress.Layers}
	}
	return host
}

func hostOf(h warmer.HostStatus, slots runner.Slots) api.Host {
	host := api.Host{
		Name: h.Name, Contact: string(h.Contact), Since: h.Since,
		Engine: h.Engine.Version, APIVersion: h.Engine.APIVersion, ImageStore: h.Engine.ImageStore, CPUs: h.Engine.CPUs, Memory: h.Engine.Memory,
		Pulling: h.Pulling, Pulls: h.Pulls, Running: slots.InUse, Runs: slots.All,
	}
	if !h.Engine.Platform.IsZero() {
		host.Platform = h.Engine.Platform.String()
	}
	if h.Err != nil {
		host.Reason = h.Err.Error()
	}
	return host
}
