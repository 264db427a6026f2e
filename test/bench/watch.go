package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const (
	// watchAim is how many requests of all kinds a look at a tag may cost.
	watchAim = aim(1.05)
	// watchTokens is how long tokens are good: as long as the specification says
	// of those that do not tell.
	watchTokens = time.Minute
	// quietRounds is how many rounds share one listing of a repository's tags.
	quietRounds = 10
	// changedTags is one of how many tags changes for the last measurement.
	changedTags = 100
)

// benchWatch counts what a registry with tokens is asked while many tags are
// watched: an entry per repository follows its newest tags. Nothing is pulled,
// since engines ask by themselves and would be counted, too: the one host that
// is there is none of the images'. The limits that are the default for
// registries elsewhere are lifted, so that a round takes no longer than it must.
func benchWatch(ctx context.Context, r *rig) (t table, err error) {
	tags := r.repositories * r.tags
	t = table{
		title:   fmt.Sprintf("Watching %d tags in %d repositories of a registry with tokens, every %s", tags, r.repositories, r.every),
		columns: []string{"measured", "HEAD (a look at a tag)", "manifest GET", "blob GET", "listings", "tokens", "pings", "refused", "requests per look", "memory (RSS)", "aim"},
	}
	w, err := newWatching(ctx, r)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, w.server.close()) }()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
		aim  aim
	}{
		{"first round: every digest is new", w.first, 0},
		{fmt.Sprintf("%d quiet rounds", quietRounds), w.quiet, watchAim},
		{fmt.Sprintf("a round in which %d of them changed", max(1, tags/changedTags)), w.changed, 0},
	} {
		fmt.Fprintf(r.log, "  %s\n", part.name)
		if err := part.do(ctx); err != nil {
			return t, err
		}
		if err := w.report(&t, part.name, part.aim); err != nil {
			return t, err
		}
	}
	return t, nil
}

// watching is a server that watches a registry of its own.
type watching struct {
	*rig
	registry *fleet.Registry
	server   *server
}

func newWatching(ctx context.Context, r *rig) (*watching, error) {
	w := &watching{rig: r}
	var err error
	w.registry, err = r.fleet.AddRegistry(ctx, fleet.RegistryOptions{
		Name: "watched", TLS: true, Accounts: map[string]string{"ci": "secret"}, Tokens: watchTokens,
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(r.log, "pushing %d images\n", r.repositories*r.tags)
	if err := w.push(ctx, "one", r.repositories*r.tags); err != nil {
		return nil, err
	}
	hosts := filepath.Join(r.dir, "watched-hosts.yaml") // lets a selector match none
	if err := os.WriteFile(hosts, []byte("hosts: ["+prewarmtest.Host(r.fleet.Hosts[0])+"]\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the hosts: %w", err)
	}
	setup := prewarmtest.Setup{
		HostsFile: hosts, Limits: "{rate: 10000/s}", Registries: []string{prewarmtest.Registry(w.registry, "rate: 10000/s")},
	}
	for n := range r.repositories {
		setup.Images = append(setup.Images, fmt.Sprintf("{name: watched-%d, repository: %s/%s, hosts: {pool: none}, watch: '@every %s', track: {select: {order: numeric, newest: %d}}}",
			n, w.registry.Addr, watchedRepository(n), r.every, r.tags))
	}
	w.registry.Gate.Reset()
	w.server, err = r.serveSetup(ctx, "watched", setup)
	return w, err
}

func watchedRepository(n int) string { return fmt.Sprintf("watched/n%d", n) }

// push gives the first n tags, of different repositories as long as there are
// any, each an image of its own.
func (w *watching) push(ctx context.Context, version string, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range n {
		repository, tag := watchedRepository(i%w.repositories), i/w.repositories
		g.Go(func() error {
			_, err := w.registry.Push(ctx, fmt.Sprintf("%s:%d", repository, tag), fleet.ProgramImage(fmt.Sprint(version, " ", i)))
			return err
		})
	}
	return g.Wait()
}

// first waits until each tag was looked at once, and what it shows was read.
func (w *watching) first(ctx context.Context) error {
	for {
		images, err := w.server.client.Images(ctx)
		if err != nil {
			return err
		}
		seen := 0
		for _, i := range images.Images {
			for _, t := range i.Tracks {
				seen += min(1, len(t.Coming))
			}
		}
		if seen == w.repositories*w.tags {
			return nil
		}
		if err := pause(ctx, 10*lookPause); err != nil {
			return fmt.Errorf("wait for the first round, with %d seen: %w", seen, err)
		}
	}
}

func (w *watching) quiet(ctx context.Context) error {
	w.registry.Gate.Reset()
	return pause(ctx, quietRounds*w.every)
}

// changed gives other images to some tags, while nobody looks, and then lets
// all be looked at.
func (w *watching) changed(ctx context.Context) error {
	watching := api.PauseRequest{What: "watching", By: "bench"}
	if _, err := w.server.client.Pause(ctx, watching); err != nil {
		return err
	}
	if err := pause(ctx, time.Second); err != nil { // looks that have begun
		return err
	}
	if err := w.push(ctx, "two", max(1, w.repositories*w.tags/changedTags)); err != nil {
		return err
	}
	w.registry.Gate.Reset()
	if _, err := w.server.client.Resume(ctx, watching); err != nil {
		return err
	}
	for w.registry.Gate.Counts().ManifestHead < w.repositories*w.tags {
		if err := pause(ctx, lookPause); err != nil {
			return err
		}
	}
	return pause(ctx, time.Second) // what the last look found is read
}

// report adds what was asked since the counts were begun anew.
func (w *watching) report(t *table, name string, a aim) error {
	c := w.registry.Gate.Counts()
	memory, err := residentBytes(w.server.PID())
	if err != nil {
		return err
	}
	each := ratio{value: float64(c.Requests()) / float64(max(1, c.ManifestHead))}
	verdict := "none"
	if a > 0 {
		verdict = a.verdict(each)
	}
	t.add(name, fmt.Sprint(c.ManifestHead), fmt.Sprint(c.ManifestGet), fmt.Sprint(c.BlobGet), fmt.Sprint(c.TagList),
		fmt.Sprint(c.Token), fmt.Sprint(c.Ping), fmt.Sprint(c.Refused), fmt.Sprintf("%.3f", each.value), mebibytes(memory), verdict)
	return nil
}

// residentBytes is the memory that a process has now.
func residentBytes(pid int) (int64, error) {
	resident, _, err := memoryOf(pid)
	return resident, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
