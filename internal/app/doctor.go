package app

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// Level is how bad a finding is.
type Level string

// The levels.
const (
	Good    Level = "ok"
	Warning Level = "warn" // it works, and may not for long
	Failure Level = "fail" // something can't work
)

// Finding is what the doctor saw in one examination.
type Finding struct {
	Level Level  `json:"level"`
	About string `json:"about"` // "host etl-1", "registry docker.io"
	Check string `json:"check"` // what was examined: clock, disk …
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

const (
	// examineWithin bounds each examination.
	examineWithin = 10 * time.Second
	// examineAtOnce bounds how many hosts, and how many registries, are examined
	// at the same time.
	examineAtOnce = 16
)

// Diagnose examines the hosts and registries of a configuration: those of each
// in its order, hosts first; before them, the API's own certificates. It changes nothing on them, and needs no server.
func Diagnose(ctx context.Context, c *config.Config, version string) []Finding {
	registries := registry.New(registryOptions(c, version))
	defer registries.Close()
	names := registriesOf(c)
	hosts, others := make([][]Finding, len(c.Hosts)), make([][]Finding, len(names))
	var group errgroup.Group
	group.SetLimit(examineAtOnce)
	for i, name := range names {
		group.Go(func() error {
			others[i] = examineRegistry(ctx, c, registries, name)
			return nil
		})
	}
	for i, h := range c.Hosts {
		group.Go(func() error {
			hosts[i] = examineHost(ctx, c, registries, h)
			return nil
		})
	}
	_ = group.Wait() // what goes wrong is a finding
	return slices.Concat(examineServer(c, time.Now()), slices.Concat(hosts...), slices.Concat(others...))
}

// within does one examination.
func within[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	return do(ctx)
}

// chart collects the findings about one thing.
type chart struct {
	about    string
	findings []Finding
}

func (c *chart) add(level Level, check, what, mend string) {
	c.findings = append(c.findings, Finding{Level: level, About: c.about, Check: check, What: what, Mend: mend})
}

// fault adds what went wrong, and tells whether something did.
func (c *chart) fault(level Level, check string, err error) bool {
	if err == nil {
		return false
	}
	c.add(level, check, err.Error(), problem.From(err).Mend)
	return true
}
