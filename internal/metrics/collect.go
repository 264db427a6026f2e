package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Collect implements prometheus.Collector.
func (s *snapshots) Collect(ch chan<- prometheus.Metric) {
	from := s.sources.Load()
	if from == nil {
		return
	}
	if from.Warmth != nil {
		s.collectWarmth(ch, from.Warmth)
	}
	if from.Runs != nil {
		s.collectRuns(ch, from.Runs)
	}
	if from.Registries != nil {
		for _, status := range from.Registries.Statuses() {
			if s.names.has(byRegistry, status.Name) {
				s.registry.collect(ch, status)
			}
		}
	}
	s.around.collect(ch, from)
}

func (s *snapshots) collectWarmth(ch chan<- prometheus.Metric, from Warmth) {
	for _, n := range from.ImageCounts() {
		if s.names.has(byImage, n.Image) {
			s.image.collect(ch, n)
		}
	}
	for _, n := range from.HostCounts() {
		if s.names.has(byHost, n.Name) {
			s.host.collect(ch, n)
		}
	}
}

func (f imageFamilies) collect(ch chan<- prometheus.Metric, n warmer.ImageCount) {
	f.wanted.sample(ch, float64(n.Wanted), n.Image)
	f.warm.sample(ch, float64(n.Warm), n.Image)
	f.unreached.sample(ch, float64(n.Unreached), n.Image)
	f.digests.sample(ch, float64(n.Held), n.Image, "held")
	f.digests.sample(ch, float64(n.Coming), n.Image, "warming")
	f.held.sample(ch, one(n.Stopped), n.Image)
	f.promoted.when(ch, n.Promoted, n.Image)
}

func (f hostFamilies) collect(ch chan<- prometheus.Metric, n warmer.HostCount) {
	f.up.sample(ch, one(n.Contact == warmer.Reachable), n.Name)
	f.pulling.sample(ch, float64(n.Pulling), n.Name)
	f.pulls.sample(ch, float64(n.Pulls), n.Name)
	f.paused.sample(ch, one(n.Paused), n.Name)
	f.drained.sample(ch, one(n.Drained), n.Name)
	f.total.known(ch, n.Disk.Total, n.Disk.Total > 0, n.Name)
	f.free.known(ch, n.Disk.Free, n.Disk.Total > 0, n.Name)
	f.high.known(ch, n.High, n.High > 0, n.Name)
	f.images.known(ch, n.Images, n.Images >= 0, n.Name)
	f.budget.known(ch, n.Budget, n.Budget > 0, n.Name)
}

func (s *snapshots) collectRuns(ch chan<- prometheus.Metric, from Runs) {
	for name, use := range from.Hosts() {
		if s.names.has(byHost, name) { // one that left stays for as long as its runs
			s.host.collectUse(ch, name, use)
		}
	}
	s.runs.collect(ch, from.Stats())
}

func (f hostFamilies) collectUse(ch chan<- prometheus.Metric, name string, use runner.HostUse) {
	f.slots.sample(ch, float64(use.Slots), name)
	f.inUse.sample(ch, float64(use.InUse), name)
	f.unclaimed.sample(ch, float64(len(use.Unclaimed)), name)
}

func (f runFamilies) collect(ch chan<- prometheus.Metric, n runner.Stats) {
	for _, state := range runner.Active {
		f.active.sample(ch, float64(n.By[state]), string(state))
	}
	f.oldest.when(ch, n.Oldest)
	f.unreachable.sample(ch, float64(n.Unreachable))
	f.unattended.sample(ch, float64(n.Unattended))
	f.owed.sample(ch, float64(n.Owed))
}

func (f registryFamilies) collect(ch chan<- prometheus.Metric, s registry.Status) {
	for _, o := range registry.Outcomes {
		f.requests.sample(ch, float64(s.Requests[o]), s.Name, string(o))
	}
	said := !s.Quota.Seen.IsZero()
	f.limit.known(ch, int64(s.Quota.Limit), said, s.Name)
	f.remaining.known(ch, int64(s.Quota.Remaining), said, s.Name)
	f.open.sample(ch, one(!s.ClosedUntil.IsZero()), s.Name)
}

func (f aroundFamilies) collect(ch chan<- prometheus.Metric, from *Sources) {
	if from.Routes != nil {
		for _, r := range from.Routes() {
			f.waiting.sample(ch, float64(r.Waiting), r.Name)
			f.waitingSince.when(ch, r.Oldest, r.Name)
			f.deliveries.sample(ch, float64(r.Delivered), r.Name, resultOK)
			f.deliveries.sample(ch, float64(r.Failed), r.Name, resultFailed)
		}
	}
	if from.Hooks != nil {
		for _, h := range from.Hooks() {
			counts := make(map[string]int64)
			for verdict, n := range h.Verdicts {
				counts[verdicts.of(verdict)] += n
			}
			for _, verdict := range verdicts.values {
				f.hooks.sample(ch, float64(counts[verdict]), h.Name, verdict)
			}
		}
	}
	if from.Certificates != nil {
		for _, c := range from.Certificates() {
			f.certificate.when(ch, c.Ends, c.Of, c.Name)
		}
	}
	if from.Configuration != nil {
		c := from.Configuration()
		f.reloads.sample(ch, float64(c.Taken), resultOK)
		f.reloads.sample(ch, float64(c.Refused), "refused")
		f.refused.sample(ch, one(c.Stands))
	}
	if from.Backup != nil {
		if last := from.Backup(); !last.Made.IsZero() {
			f.backedUp.when(ch, last.Made)
			if last.Bytes > 0 {
				f.backupBytes.sample(ch, float64(last.Bytes))
				f.backupTook.sample(ch, last.Took.Seconds())
			}
		}
	}
}

// lagFamily shows the largest lag of the last moments.
type lagFamily struct {
	family *family
	lags   *lags
}

// Describe implements prometheus.Collector.
func (l lagFamily) Describe(ch chan<- *prometheus.Desc) { ch <- l.family.desc }

// Collect implements prometheus.Collector.
func (l lagFamily) Collect(ch chan<- prometheus.Metric) {
	for host, by := range l.lags.largest(time.Now()) {
		l.family.sample(ch, by.Seconds(), host)
	}
}
