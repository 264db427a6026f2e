package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// snapshots are read at each scrape.
type snapshots struct {
	sources atomic.Pointer[Sources]
	names   *names
	all     []*family

	image    imageFamilies
	host     hostFamilies
	registry registryFamilies
	runs     runFamilies
	around   aroundFamilies
}

// verdicts are those of warmer/hints, which this room does not know.
var verdicts = words("verdict", "accepted", "irrelevant", "repeated", "refused", other)

type imageFamilies struct {
	wanted, warm, unreached, digests, held, promoted *family
}

type hostFamilies struct {
	up, pulling, pulls, paused, drained, total, free, high, images, budget *family
	slots, inUse, unclaimed                                                *family
}

type registryFamilies struct {
	requests, limit, remaining, open *family
}

type runFamilies struct {
	active, oldest, unreachable, unattended, owed *family
}

type aroundFamilies struct {
	waiting, waitingSince, deliveries *family
	hooks                             *family
	certificate                       *family
	reloads, refused                  *family
	backedUp, backupBytes, backupTook *family
}

func newSnapshots(b *builder) *snapshots {
	before := len(b.families)
	s := &snapshots{
		image:    newImageFamilies(b),
		host:     newHostFamilies(b),
		registry: newRegistryFamilies(b),
		runs:     newRunFamilies(b),
		around:   newAroundFamilies(b),
	}
	s.all = b.families[before:]
	return s
}

func newImageFamilies(b *builder) imageFamilies {
	return imageFamilies{
		wanted: b.read(gauge, byImage, "image_hosts_wanted",
			"Hosts that are to have the current digest of each tracked tag of the image, without those of a platform that it has nothing for."),
		warm:      b.read(gauge, byImage, "image_hosts_warm", "Those of prewarm_image_hosts_wanted that have it."),
		unreached: b.read(gauge, byImage, "image_hosts_unreachable", "Those of prewarm_image_hosts_wanted that can't be asked now."),
		digests: b.read(gauge, byImage, "image_digests", "Digests of the image that are not current yet: held until they are trusted, and warming on the hosts.",
			words("phase", "held", "warming")),
		held: b.read(gauge, byImage, "image_held", "1 while somebody holds the image, so that nothing of it is promoted."),
		promoted: b.read(gauge, byImage, "image_promoted_timestamp_seconds",
			"When the current digest became so; of several tags, the one that was promoted longest ago. Absent while a tag has none."),
	}
}

func newHostFamilies(b *builder) hostFamilies {
	return hostFamilies{
		up:      b.read(gauge, byHost, "host_up", "1 while the host's engine answers, and under this name only."),
		pulling: b.read(gauge, byHost, "host_pulls", "Pulls under way on the host."),
		pulls:   b.read(gauge, byHost, "host_pulls_limit", "How many pulls the host may have at once."),
		paused:  b.read(gauge, byHost, "host_paused", "1 while somebody paused warming, on the host or everywhere."),
		drained: b.read(gauge, byHost, "host_drained", "1 while no run is placed on the host."),
		total:   b.read(gauge, byHost, "host_disk_bytes", "Size of the disk that holds the host's images. Absent where it can't be known."),
		free:    b.read(gauge, byHost, "host_disk_free_bytes", "Free bytes of that disk."),
		high:    b.read(gauge, byHost, "host_disk_high_mark_bytes", "Used bytes of that disk above which images go. Absent where there is no such mark."),
		images:  b.read(gauge, byHost, "host_images_bytes", "What the host's images took when they were listed last, layers that they share once."),
		budget:  b.read(gauge, byHost, "host_images_budget_bytes", "What images may take on the host. Absent where that is not bounded."),
		slots:   b.read(gauge, byHost, "host_slots", "How many runs the host may have at once."),
		inUse:   b.read(gauge, byHost, "host_slots_used", "Runs that are placed on the host."),
		unclaimed: b.read(gauge, byHost, "host_unclaimed_containers",
			"Containers of ours on the host that no run claims."),
	}
}

func newRegistryFamilies(b *builder) registryFamilies {
	return registryFamilies{
		requests: b.read(counter, byRegistry, "registry_requests_total",
			"Requests for a registry by how they ended, those to its token server included. Pulls by the hosts are not among them.",
			words("result", registry.Outcomes...)),
		limit:     b.read(gauge, byRegistry, "registry_quota_limit", "Requests that the registry grants in a window, as it said last. Absent where it says nothing."),
		remaining: b.read(gauge, byRegistry, "registry_quota_remaining", "Requests that are left in this window, as the registry said last."),
		open:      b.read(gauge, byRegistry, "registry_breaker_open", "1 while the registry is left alone: it asked for fewer requests, or is down."),
	}
}

func newRunFamilies(b *builder) runFamilies {
	return runFamilies{
		active:      b.read(gauge, byNothing, "runs_active", "Runs without an outcome, by state.", words("state", runner.Active...)),
		oldest:      b.read(gauge, byNothing, "runs_queued_oldest_timestamp_seconds", "When the run was submitted that waits longest. Absent while none waits."),
		unreachable: b.read(gauge, byNothing, "runs_unreachable", "Runs under way whose host does not answer."),
		unattended:  b.read(gauge, byNothing, "runs_unattended", "Runs under way whose caller has been silent for longer than its keepalive."),
		owed:        b.read(gauge, byNothing, "runs_owed_stops", "Ended runs whose container may still run, so that a stop is owed to it."),
	}
}

func newAroundFamilies(b *builder) aroundFamilies {
	return aroundFamilies{
		waiting:      b.read(gauge, byRoute, "outbox_waiting", "Notices that the route should have delivered. One that waits for the time to tell of a trouble again is not among them."),
		waitingSince: b.read(gauge, byRoute, "outbox_oldest_timestamp_seconds", "Since when the one of prewarm_outbox_waiting waits that waits longest. Absent while none waits."),
		deliveries:   b.read(counter, byRoute, "outbox_deliveries_total", "Attempts to deliver notices by the route.", words("result", resultOK, resultFailed)),
		hooks:        b.read(counter, byHook, "webhook_deliveries_total", "Deliveries of the hook, by what became of them.", verdicts),
		certificate: b.read(gauge, byNothing, "certificate_expiry_timestamp_seconds",
			"When a certificate of ours ends: the server's own, and those that are shown to hosts and registries.",
			words("of", "server", "host", "registry"), word{label: "name"}),
		reloads: b.read(counter, byNothing, "configuration_reloads_total", "Attempts to put a changed configuration into force.", words("result", resultOK, "refused")),
		refused: b.read(gauge, byNothing, "configuration_refused", "1 while what the files of the configuration say is not in force, because it was refused."),
		backedUp: b.read(gauge, byNothing, "backup_last_success_timestamp_seconds",
			"The moment that the last whole backup shows. Absent where none was ever made."),
		backupBytes: b.read(gauge, byNothing, "backup_last_bytes", "How large that backup is. Absent where the state was restored from it."),
		backupTook:  b.read(gauge, byNothing, "backup_last_duration_seconds", "How long it took to make, and to send. Absent as its size is."),
	}
}

// Describe implements prometheus.Collector.
func (s *snapshots) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range s.all {
		ch <- f.desc
	}
}

// sample sends one value.
func (f *family) sample(ch chan<- prometheus.Metric, value float64, labels ...string) {
	k := prometheus.GaugeValue
	if f.kind == counter {
		k = prometheus.CounterValue
	}
	ch <- prometheus.MustNewConstMetric(f.desc, k, value, labels...)
}

// when sends a time, where there is one.
func (f *family) when(ch chan<- prometheus.Metric, t time.Time, labels ...string) {
	if !t.IsZero() {
		f.sample(ch, float64(t.UnixMilli())/1000, labels...)
	}
}

// known sends a size, where it is known.
func (f *family) known(ch chan<- prometheus.Metric, n int64, known bool, labels ...string) {
	if known {
		f.sample(ch, float64(n), labels...)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
