package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const (
	// fanoutHosts pull through one cache.
	fanoutHosts = 8
	// fanoutLink is what the cache's line to the registry carries, in bytes a
	// second: slow, since here all hosts unpack on the same few cores, which
	// hides what a line saves.
	fanoutLink = 5 << 20
	// An image of this many layers of this size.
	fanoutLayers, fanoutLayer = 4, 10 << 20
	// The line carries an image once, and all have it in less than a third of the
	// time that it takes if all pull at once.
	fanoutBytesAim, fanoutTimeAim = aim(1.05), aim(0.30)
)

// benchFanout compares how long a cold image takes to be warm on all hosts with
// docker pulls on all of them at once, through the same cache, which has not
// seen it either. And it counts what crosses the line.
func benchFanout(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title: fmt.Sprintf("A cold image of %d × %s on %d hosts through one pull-through cache (distribution %s), whose line carries %s a second, "+
			"against `docker pull` on all of them at the same moment",
			fanoutLayers, mebibytes(fanoutLayer), fanoutHosts, cacheVersion, mebibytes(fanoutLink)),
		columns: []string{"measured", "rounds", "prewarm", "docker pull", "ratio", "aim"},
	}
	f, err := newFanout(ctx, r)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	n := (r.rounds + 1) / 2 // a round takes more than a minute
	took, err := byTurns(ctx, n, settle, f.prewarm, f.pull)
	if err != nil {
		return t, err
	}
	seen := ratioOf(took[0], took[1])
	t.add("time until all hosts have it", fmt.Sprint(n), spread(took[0]), spread(took[1]), seen.String(), fanoutTimeAim.verdict(seen))
	ours, theirs := f.sent[0], f.sent[1]
	worst := ratio{value: slices.Max(ours)}
	t.add("bytes from upstream ÷ bytes of the image (the most of all rounds)", fmt.Sprint(n+1),
		fmt.Sprintf("%.2f", worst.value), fmt.Sprintf("%.2f", slices.Max(theirs)), "", fanoutBytesAim.verdict(worst))
	return t, nil
}

// fanout is a server whose hosts pull through a cache.
type fanout struct {
	*rig
	upstream *fleet.Registry
	cache    *pullCache
	server   *server
	seed     uint64
	sent     [2][]float64 // of prewarm and of docker pull, by the image's bytes
}

func newFanout(ctx context.Context, r *rig) (*fanout, error) {
	f := &fanout{rig: r, seed: uint64(time.Now().UnixNano())}
	var err error
	if f.upstream, err = r.fleet.AddRegistry(ctx, fleet.RegistryOptions{Name: "upstream", Gate: true}); err != nil {
		return nil, err
	}
	first, err := f.upstream.Push(ctx, "bench/fanout:latest", fleet.ProgramImage("first"))
	if err != nil {
		return nil, err
	}
	if f.cache, err = r.newCache(ctx, f.upstream); err != nil {
		return nil, err
	}
	setup := prewarmtest.SetupOf(&fleet.Fleet{Hosts: r.fleet.Hosts[:fanoutHosts], Registry: r.fleet.Registry}, "", "")
	setup.Registries = []string{prewarmtest.Registry(f.upstream, "mirror: "+f.cache.addr)}
	setup.Images = []string{fmt.Sprintf("{name: fanout, repository: %s/bench/fanout, watch: '@every 24h'}", f.upstream.Addr)}
	if f.server, err = r.serveSetup(ctx, "fanout", setup); err != nil {
		return nil, errors.Join(err, f.close())
	}
	// The program's own layer is then everywhere, and no part of what follows.
	if err := f.server.awaitCurrent(ctx, "fanout", first); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.upstream.Gate.Limit(fanoutLink)
	return f, nil
}

func (f *fanout) close() error {
	var errs []error
	if f.server != nil {
		errs = append(errs, f.server.close())
	}
	return errors.Join(append(errs, f.cache.close())...)
}

// pushNew pushes an image that neither hosts nor cache have seen, past the slow
// line.
func (f *fanout) pushNew(ctx context.Context, name string) (digest string, err error) {
	f.upstream.Gate.Limit(0)
	defer f.upstream.Gate.Limit(fanoutLink)
	f.seed++
	digest, err = f.upstream.Push(ctx, name, fleet.Image{Random: slices.Repeat([]int64{fanoutLayer}, fanoutLayers), Seed: f.seed})
	f.upstream.Gate.Reset()
	return digest, err
}

// note keeps what crossed the line.
func (f *fanout) note(which int) {
	f.sent[which] = append(f.sent[which], float64(f.upstream.Gate.Counts().BlobBytes)/(fanoutLayers*fanoutLayer))
}

func (f *fanout) prewarm(ctx context.Context) (time.Duration, error) {
	digest, err := f.pushNew(ctx, "bench/fanout:latest")
	if err != nil {
		return 0, err
	}
	defer f.note(0)
	begin := time.Now()
	if _, err := f.server.client.Check(ctx, "fanout"); err != nil {
		return 0, err
	}
	err = f.server.awaitCurrent(ctx, "fanout", digest)
	return time.Since(begin), err
}

func (f *fanout) pull(ctx context.Context) (time.Duration, error) {
	digest, err := f.pushNew(ctx, "bench/pulled:latest")
	if err != nil {
		return 0, err
	}
	defer f.note(1)
	pin := f.cache.addr + "/bench/pulled@" + digest
	begin := time.Now()
	if err := f.onAll(ctx, "pull", "--quiet", pin); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	return took, f.onAll(ctx, "rmi", pin)
}

// onAll runs a docker command on all hosts at once.
func (f *fanout) onAll(ctx context.Context, args ...string) error {
	return f.onHosts(ctx, f.fleet.Hosts[:fanoutHosts], args...)
}

// onHosts runs a docker command on hosts at once.
func (r *rig) onHosts(ctx context.Context, hosts []*fleet.Host, args ...string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range hosts {
		g.Go(func() error {
			if out, err := r.dockerCommand(ctx, h, args...).CombinedOutput(); err != nil {
				return fmt.Errorf("docker %v on %s: %w: %s", args, h.Name, err, out)
			}
			return nil
		})
	}
	return g.Wait()
}
