package server

import (
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func imageOf(i warmer.ImageStatus) api.Image {
	image := api.Image{
		Name: i.Entry.Image, Repository: i.Entry.Repository.String(),
		Tracking: trackingOf(i), Policy: policyOf(i.Entry.Policy),
		HeldAt: when(i.State.HeldAt), HeldBy: i.State.HeldBy,
		Tracks: []api.Track{},
	}
	for _, t := range i.Tracks {
		image.Tracks = append(image.Tracks, trackOf(t))
	}
	return image
}

func trackingOf(i warmer.ImageStatus) api.Tracking {
	if i.Entry.Select.IsZero() {
		if i.Entry.Digest != "" {
			return api.Tracking{Mode: "digest", Digest: string(i.Entry.Digest)}
		}
		return api.Tracking{Mode: "tag", Tag: i.Entry.Tag}
	}
	selection := api.Selection(i.Entry.Select.Options())
	t := api.Tracking{Mode: "select", Select: &selection, Chosen: i.State.Chosen, ListedAt: when(i.ListedAt)}
	if i.ListError != nil {
		t.ListError = i.ListError.Error()
	}
	return t
}

func policyOf(p warmer.Policy) api.Policy {
	return api.Policy{
		PromotePercent: p.Promote.Percent, PromoteWindows: len(p.Promote.Windows) > 0, PullWindows: len(p.Pulls) > 0,
		StragglerSeconds: p.Promote.Straggler.Seconds(), CooldownSeconds: p.Cooldown.Seconds(),
		Approve: p.Approve, Verify: p.Verify != nil, Retag: p.Retag, Keep: p.Keep,
	}
}

func trackOf(t warmer.TrackStatus) api.Track {
	track := api.Track{
		Tag: t.Track.ID.Tag, Leaving: t.Leaving, SupersededBytes: t.SupersededBytes, CheckedAt: when(t.CheckedAt),
		Held: []api.Rollout{}, Coming: []api.Rollout{},
	}
	if t.CheckError != nil {
		track.CheckError = t.CheckError.Error()
	}
	if t.Current != nil {
		r := statusOfRollout(*t.Current)
		track.Current = &r
	}
	for _, r := range t.Held {
		track.Held = append(track.Held, statusOfRollout(r))
	}
	for _, r := range t.Coming {
		track.Coming = append(track.Coming, statusOfRollout(r))
	}
	return track
}

// statusOfRollout is a rollout as it stands now, with its hosts.
func statusOfRollout(r warmer.RolloutStatus) api.Rollout {
	rollout := rolloutOf(r.Rollout)
	rollout.Holds, rollout.HeldUntil, rollout.Hosts = holdsOf(r), when(r.HeldUntil), []api.HostCopy{}
	for _, c := range r.Hosts {
		rollout.Hosts = append(rollout.Hosts, copyOf(c))
	}
	return rollout
}

func holdsOf(r warmer.RolloutStatus) []string {
	var words []string
	for _, reason := range r.Holds {
		words = append(words, string(reason))
	}
	return words
}

func rolloutOf(r warmer.Rollout) api.Rollout {
	origin := string(r.Origin)
	if r.Origin == warmer.FromTag {
		origin = "tag"
	}
	return api.Rollout{
		ID: r.ID, Tag: r.Track.Tag, Digest: string(r.Pin.Digest()), Pin: r.Pin.String(), Phase: string(r.Phase), Origin: origin,
		SeenAt: r.Seen, PromotedAt: when(r.Promoted), PromotedBy: r.PromotedBy, EndedAt: when(r.Ended),
		Trust: trustOf(r.Trust), Build: buildOf(r.Manifest.Origin),
	}
}

func trustOf(t warmer.Trust) api.Trust {
	trust := api.Trust{Rejected: t.Rejected, ApprovedAt: when(t.Approved), ApprovedBy: t.ApprovedBy}
	if v := t.Verdict; v != nil {
		trust.Verdict = &api.Verdict{At: v.At, Seconds: v.Took.Seconds(), OK: v.OK, ExitCode: v.ExitCode, Output: v.Output, Failure: v.Failure}
	}
	return trust
}

func buildOf(o registry.Origin) *api.Build {
	if o == (registry.Origin{}) {
		return nil
	}
	return &api.Build{Revision: o.Revision, Source: o.Source, Version: o.Version, CreatedAt: when(o.Created)}
}

func copyOf(c warmer.HostCopy) api.HostCopy {
	host := api.HostCopy{
		Host: c.Host, State: string(c.State), Reason: c.Reason, PlatformDigest: string(c.PlatformDigest),
		Tags: c.Tags, Bytes: c.Bytes, Attempts: c.Attempts, NextTry: when(c.NextTry),
	}
	if !c.Platform.IsZero() {
		host.Platform = c.Platform.String()
	}
	if c.State == warmer.StatePulling {
		host.Progress = &api.Progress{Bytes: c.Progress.Bytes, TotalBytes: c.Total, LayersDone: c.Progress.LayersDone, Layers: c.Progress.Layers}
		host.RateBytes, host.RemainingSeconds = c.Rate, c.Remaining().Seconds()
	}
	return host
}

func hostOf(h warmer.HostStatus, setup HostSetup, use runner.HostUse) api.Host {
	host := api.Host{
		Name: h.Name, Endpoint: setup.Endpoint, Aliases: listOf(setup.Aliases), Labels: mapOf(setup.Labels), Binds: listOf(setup.Binds),
		Contact: string(h.Contact), Since: h.Since,
		Engine: h.Engine.Version, APIVersion: h.Engine.APIVersion, ImageStore: h.Engine.ImageStore, CPUs: h.Engine.CPUs, Memory: h.Engine.Memory,
		ClockOffset: h.Engine.ClockOffset.Seconds(), Paused: h.Paused, Drained: h.Drained,
		Drift:   api.Drift{Total: h.Drift.Total, LastHour: h.Drift.LastHour, LastAt: when(h.Drift.Last)},
		Pulling: h.Pulling, Pulls: h.Pulls, Running: use.InUse, Runs: use.Slots,
		MemoryAsked: use.Memory, CPUsAsked: float64(use.NanoCPUs) / 1e9, Unclaimed: listOf(use.Unclaimed), Disk: diskOf(h.Engine.Disk),
	}
	if !h.Engine.Platform.IsZero() {
		host.Platform = h.Engine.Platform.String()
	}
	if h.Err != nil {
		host.Reason = h.Err.Error()
	}
	return host
}
