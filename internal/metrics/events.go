package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// The words of what happens.
const (
	resultOK       = "ok"
	resultFailed   = "failed"
	resultCanceled = "canceled"
)

var (
	results  = words("result", resultOK, resultFailed, resultCanceled)
	reasons  = words("why", "schedule", "webhook", "asked", other)
	submits  = words("result", "new", "joined")
	outcomes = words("outcome", runner.Succeeded, runner.Failed, runner.Canceled, runner.TimedOut, runner.Interrupted, runner.Lost, runner.Refused, other)
)

// Seconds of what takes from moments to hours.
var (
	promotionBuckets = []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600}
	pullBuckets      = []float64{.5, 1, 2, 5, 10, 20, 40, 60, 120, 300, 600, 1200, 3600}
	startBuckets     = []float64{.05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300, 1800}
	reconcileBuckets = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5}
)

// events are counted as they happen.
type events struct {
	promotion, pull, reconcile, start, firstLine   *prometheus.HistogramVec
	pulled, looks, repairs, passes, removed, freed *prometheus.CounterVec
	submits, runs, avoidedSeconds, avoidedStarts   *prometheus.CounterVec
	avoided                                        *avoided
	lag                                            *family
	lags                                           *lags
}

func newEvents(b *builder) *events {
	return &events{
		promotion: b.histogram(byImage, "promotion_seconds",
			"How long after its push was seen a digest became current. Cooldown, approval and windows are in it.", promotionBuckets),
		pull: b.histogram(byRegistry, "pull_seconds",
			"How long pulls by the hosts took, by how they ended.", pullBuckets, results),
		pulled: b.counter(byRegistry, "pull_bytes_total",
			"Compressed bytes that pulls by the hosts transferred."),
		avoidedSeconds: b.counter(byImage, "cold_start_avoided_seconds_total",
			"Seconds that runs did not wait for pulls: the first run on a host of a digest that Prewarm pulled there counts what of the pull was over when the run was submitted."),
		avoidedStarts: b.counter(byImage, "cold_starts_avoided_total",
			"Runs that were the first on their host of a digest that Prewarm had pulled there."),
		looks: b.counter(byImage, "looks_total",
			"Looks at the tags of an image, by what they were made for.", reasons, words("result", resultOK, resultFailed, resultCanceled)),
		repairs: b.counter(byHost, "drift_repairs_total",
			"Images that somebody else removed from the host, and that were to be pulled again."),
		passes: b.counter(byHost, "prune_passes_total",
			"Prune passes over the host.", results),
		removed: b.counter(byHost, "prune_removed_images_total",
			"Images that prune passes removed from the host."),
		freed: b.counter(byHost, "prune_freed_bytes_total",
			"Bytes that prune passes freed on the host."),
		reconcile: b.histogram(byNothing, "reconcile_seconds",
			"How long a comparison of what should be on the hosts with what is took.", reconcileBuckets),
		submits: b.counter(byImage, "run_submits_total",
			"Submits that made a run, or were joined to one that there was.", submits),
		start: b.histogram(byNothing, "run_start_seconds",
			"How long after its submit a run's container was started. Waiting for a slot, a key or warmth is in it.", startBuckets),
		firstLine: b.histogram(byImage, "run_first_line_seconds",
			"How long after its submit a run's first line came.", startBuckets),
		runs: b.counter(byImage, "runs_total",
			"Runs that ended, by outcome.", outcomes),
		lag: b.read(gauge, byHost, "log_lag_seconds",
			"By how much the log on disk was behind a container of the host, at the most within the last one to two minutes."),
		avoided: newAvoided(maxPulls),
		lags:    newLags(),
	}
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return resultOK
	case errors.Is(err, context.Canceled):
		return resultCanceled
	}
	return resultFailed
}

// Pulled counts a pull that ended.
func (m *Metrics) Pulled(host, _ string, pin registry.Pin, took time.Duration, bytes int64, err error) {
	e := m.events
	from := pin.Repository().Host()
	m.names.count(byRegistry, from, func() {
		e.pull.WithLabelValues(from, resultOf(err)).Observe(took.Seconds())
		e.pulled.WithLabelValues(from).Add(float64(max(0, bytes)))
	})
	if err == nil && bytes > 0 { // what was there already would have been so without us
		m.names.count(byHost, host, func() { e.avoided.pulled(host, pin, time.Now().Add(-took), took) })
	}
}

// Promoted counts a rollout that went live.
func (m *Metrics) Promoted(image string, after time.Duration) {
	m.names.count(byImage, image, func() { m.events.promotion.WithLabelValues(image).Observe(after.Seconds()) })
}

// Looked counts a look at the tags of an image.
func (m *Metrics) Looked(image, why string, err error) {
	m.names.count(byImage, image, func() { m.events.looks.WithLabelValues(image, reasons.of(why), resultOf(err)).Inc() })
}

// Repaired counts a copy that somebody removed.
func (m *Metrics) Repaired(host string) {
	m.names.count(byHost, host, func() { m.events.repairs.WithLabelValues(host).Inc() })
}

// Pruned counts a prune pass.
func (m *Metrics) Pruned(host string, removed int, freed int64, err error) {
	m.names.count(byHost, host, func() {
		m.events.passes.WithLabelValues(host, resultOf(err)).Inc()
		m.events.removed.WithLabelValues(host).Add(float64(max(0, removed)))
		m.events.freed.WithLabelValues(host).Add(float64(max(0, freed)))
	})
}

// Reconciled measures a look at desired against observed.
func (m *Metrics) Reconciled(took time.Duration) {
	m.events.reconcile.WithLabelValues().Observe(took.Seconds())
}

// Submitted counts a submit.
func (m *Metrics) Submitted(image string, joined bool) {
	result := "new"
	if joined {
		result = "joined"
	}
	m.names.count(byImage, image, func() { m.events.submits.WithLabelValues(image, result).Inc() })
}

// Started measures the start of a run, and what of a pull it did not wait for.
func (m *Metrics) Started(r runner.Run, after time.Duration) {
	e := m.events
	e.start.WithLabelValues().Observe(after.Seconds())
	m.names.count(byImage, r.Image, func() {
		if saved, first := e.avoided.started(r.Host, r.Pin, r.Submitted); first {
			e.avoidedSeconds.WithLabelValues(r.Image).Add(saved.Seconds())
			e.avoidedStarts.WithLabelValues(r.Image).Inc()
		}
	})
}

// FirstLine measures the first line of a run.
func (m *Metrics) FirstLine(r runner.Run, after time.Duration) {
	m.names.count(byImage, r.Image, func() { m.events.firstLine.WithLabelValues(r.Image).Observe(after.Seconds()) })
}

// Ended counts an outcome.
func (m *Metrics) Ended(r runner.Run) {
	m.names.count(byImage, r.Image, func() { m.events.runs.WithLabelValues(r.Image, outcomes.of(string(r.State))).Inc() })
}

// Lagged notes by how much the spool is behind a container.
func (m *Metrics) Lagged(host string, by time.Duration) {
	m.names.count(byHost, host, func() { m.events.lags.note(host, by, time.Now()) })
}
