package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/docker"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// patient is what the doctor asks of a host. None of it changes anything there.
type patient interface {
	Examine(ctx context.Context) (warmer.Engine, error)
	AnswersAnyone(ctx context.Context) (bool, error)
	Instances(ctx context.Context) ([]string, error)
	ReachRegistry(ctx context.Context, ref registry.Ref) error
}

func examineHost(ctx context.Context, c *config.Config, registries *registry.Client, h config.Host) []Finding {
	findings := &chart{about: "host " + h.Name}
	host, err := docker.New(dockerOptions(h, &engines{registries: registries, log: slog.New(slog.DiscardHandler)}))
	if findings.fault(Failure, "reachable", err) {
		return findings.findings
	}
	defer host.Close()
	findings.examine(ctx, host, h, refsOf(c, h))
	findings.hostCertificates(ctx, host, h, time.Now())
	return findings.findings
}

// examine asks a host all there is to ask; a host that does not answer is asked
// nothing more.
func (c *chart) examine(ctx context.Context, host patient, h config.Host, refs []hostRef) {
	engine, err := within(ctx, host.Examine)
	if c.fault(Failure, "reachable", err) {
		return
	}
	c.engine(engine)
	if strings.HasPrefix(h.Endpoint, "tcp://") {
		c.access(ctx, host, h)
	}
	c.clock(engine.ClockOffset)
	c.disk(engine.Disk)
	c.shared(ctx, host)
	for _, ref := range refs {
		c.reaches(ctx, host, ref)
	}
}

// oldestAPI is that of Engine 20.10, the oldest that Prewarm is tested with, as
// the number behind 1.
const oldestAPI = 41

func (c *chart) engine(e warmer.Engine) {
	what := fmt.Sprintf("engine %s, API %s, %s image store, %s", e.Version, e.APIVersion, e.ImageStore, e.Platform)
	_, minor, _ := strings.Cut(e.APIVersion, ".")
	if n, err := strconv.Atoi(minor); err != nil || n < oldestAPI {
		c.add(Warning, "reachable", what+": older than anything that Prewarm is tested with", "upgrade the engine to 20.10 or later")
		return
	}
	c.add(Good, "reachable", what, "")
}

// access tells who can use the engine's port.
func (c *chart) access(ctx context.Context, host patient, h config.Host) {
	if h.TLS == nil {
		c.add(Warning, "tls", "plain tcp: whoever reaches the port is root on that machine",
			"give the engine certificates (prewarm host enroll), and write tls: in place of insecure: true")
		return
	}
	anyone, err := within(ctx, host.AnswersAnyone)
	switch {
	case c.fault(Warning, "tls", err):
	case anyone:
		c.add(Failure, "tls", "the engine answers without a client certificate: whoever reaches the port is root on that machine",
			"start dockerd with --tlsverify and --tlscacert, as prewarm host enroll prints it")
	default:
		c.add(Good, "tls", "the engine wants a client certificate, and takes ours", "")
	}
}

// maxSkew is by how much a host's clock may differ: tokens and certificates are
// refused soon beyond it, and the times of log lines mislead.
const maxSkew = 2 * time.Second

func (c *chart) clock(offset time.Duration) {
	what := "the clock is right"
	if offset.Abs() > maxSkew {
		way := "ahead of"
		if offset < 0 {
			way = "behind"
		}
		c.add(Warning, "clock", fmt.Sprintf("the engine's clock is %s %s this machine's", offset.Abs().Round(100*time.Millisecond), way),
			"let both machines keep time (chronyd, systemd-timesyncd)")
		return
	}
	if offset == 0 {
		what = "the engine tells no time that can be compared, or exactly ours"
	}
	c.add(Good, "clock", what, "")
}

// tightDisk is the part of a disk that should be free, as 1/tightDisk.
const tightDisk = 10

func (c *chart) disk(d warmer.Disk) {
	switch what := fmt.Sprintf("%s of %s are free where the engine keeps images", gibibytes(d.Free), gibibytes(d.Total)); {
	case d.Total == 0:
		c.add(Good, "disk", "free space is not known: the engine's API does not tell, and it can't be seen from here", "")
	case d.Free < d.Total/tightDisk:
		c.add(Warning, "disk", what, "remove images that nobody needs, or give the disk more room")
	default:
		c.add(Good, "disk", what, "")
	}
}

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// shared tells where more than one installation works, or has worked, on an
// engine: a keep-tag carries no instance, so one may remove what another keeps.
func (c *chart) shared(ctx context.Context, host patient) {
	ids, err := within(ctx, host.Instances)
	if err != nil {
		c.add(Warning, "shared", err.Error(), "let GET /volumes through to the engine, or look there: docker volume ls --filter label=prewarm.marker")
		return
	}
	if n := len(ids); n > 1 {
		c.add(Warning, "shared", fmt.Sprintf("markers of %d installations of Prewarm are here (%s); two at work may prune what the other keeps warm", n, strings.Join(ids, ", ")),
			"give each hosts of its own; of one that is gone, remove the marker: docker volume rm prewarm-ID")
	}
}

// hostRef is what a host asks for to prove that it reaches a registry.
type hostRef struct {
	ref    registry.Ref
	mirror bool // of another registry, which is asked where it fails
}

// refsOf gives a ref of each registry that the images of a host come from, and
// of its mirror.
func refsOf(c *config.Config, h config.Host) []hostRef {
	var all []hostRef
	for _, i := range c.Images {
		if !i.Selects(h) {
			continue
		}
		all = appendRef(all, i.Repository, i.Track.Tag, false)
		if at, ok := mirrorOf(c, i.Repository); ok {
			all = appendRef(all, at, i.Track.Tag, true)
		}
	}
	return all
}

// anyTag is asked for where none is configured: a registry that does not have it
// is reached all the same.
const anyTag = "latest"

func appendRef(all []hostRef, repo registry.Repository, tag string, mirror bool) []hostRef {
	if tag == "" {
		tag = anyTag
	}
	ref, err := registry.NewRef(repo, tag)
	known := slices.ContainsFunc(all, func(o hostRef) bool { return o.ref.Repository().Host() == repo.Host() })
	if err != nil || known {
		return all
	}
	return append(all, hostRef{ref: ref, mirror: mirror})
}

// reaches has the engine itself ask a registry.
func (c *chart) reaches(ctx context.Context, host patient, r hostRef) {
	check := "registry " + r.ref.Repository().Host()
	level := Failure
	if r.mirror {
		level = Warning
	}
	_, err := within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, host.ReachRegistry(ctx, r.ref) })
	if !c.fault(level, check, err) {
		c.add(Good, check, "the engine reaches it and accepts its certificate", "")
	}
}
