package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Warmth is what is asked of the warmer.
type Warmth interface {
	ImageCounts() []warmer.ImageCount
	HostCounts() []warmer.HostCount
}

// Runs is what is asked of the runner.
type Runs interface {
	Stats() runner.Stats
	Hosts() map[string]runner.HostUse
}

// Registries is what is asked of the registries' client.
type Registries interface {
	Statuses() []registry.Status
}

// Route is one of those who are told of events, in numbers.
type Route struct {
	Name    string    // as the configuration has it
	Waiting int       // messages that are not delivered yet
	Oldest  time.Time // since when the first of them waits; zero: none does
	// Delivered and Failed count attempts since the start.
	Delivered, Failed int64
}

// Hook is one of those who tell of pushes, in numbers.
type Hook struct {
	Name string // as the configuration has it
	// Verdicts counts the deliveries since the start, by what became of them:
	// accepted, irrelevant, repeated, refused.
	Verdicts map[string]int64
}

// Certificate is one that ends some day.
type Certificate struct {
	Of   string // server, host or registry
	Name string // of the host or registry; empty: the server's own
	Ends time.Time
}

// Configuration tells of attempts to change it.
type Configuration struct {
	Taken, Refused int  // since the start
	Stands         bool // a refusal: what the files say is not in force
}

// Backup is the last one that succeeded; zero: none has. Of one that the state was
// restored from, only the moment is known.
type Backup struct {
	Made  time.Time
	Bytes int64
	Took  time.Duration
}

// Sources are asked at each scrape. None of them may wait for anything but a
// lock; one that is nil exports nothing.
type Sources struct {
	Warmth        Warmth
	Runs          Runs
	Registries    Registries
	Routes        func() []Route
	Hooks         func() []Hook
	Certificates  func() []Certificate
	Configuration func() Configuration
	Backup        func() Backup
}

// Metrics counts, and answers scrapes. It implements warmer.Measures and
// runner.Measures. Its methods may be called from any goroutine.
type Metrics struct {
	names     *names
	gatherer  *prometheus.Registry
	families  []*family
	events    *events
	snapshots *snapshots
}

var (
	_ warmer.Measures = (*Metrics)(nil)
	_ runner.Measures = (*Metrics)(nil)
)

// New makes a Metrics that knows no names yet: Use tells it. The domain needs it
// before it can be asked itself, so Watch comes later.
func New(version string) *Metrics {
	m := &Metrics{gatherer: prometheus.NewPedanticRegistry()}
	b := &builder{}
	m.events, m.snapshots = newEvents(b), newSnapshots(b)
	m.families, m.names = b.families, newNames(b.families)
	m.snapshots.names = m.names
	for _, f := range m.families {
		if f.vec != nil {
			m.gatherer.MustRegister(f.vec)
		}
	}
	m.gatherer.MustRegister(m.snapshots, lagFamily{m.events.lag, m.events.lags}, buildInfo(version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch says whom scrapes ask. It is to be called once.
func (m *Metrics) Watch(s Sources) { m.snapshots.sources.Store(&s) }

// scrapes is how many are answered at once: more are a mistake, and cost what
// runs need.
const scrapes = 4

// Handler answers scrapes. Should a number be told twice, the others are told all
// the same, and promhttp_metric_handler_errors_total says that something was not.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, Registry: m.gatherer, EnableOpenMetrics: true, MaxRequestsInFlight: scrapes,
	})
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: buildInfoHelp,
		ConstLabels: prometheus.Labels{"version": version, "commit": commit(), "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

const buildInfoHelp = "Always 1: the labels say what runs."

// commit is that of the source, as far as the build knows it.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
