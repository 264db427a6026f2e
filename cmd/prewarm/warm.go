package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func (c *cli) newWarm() *cobra.Command {
	var hosts []string
	cmd := c.remote(&cobra.Command{
		Use:   "warm IMAGE",
		Short: "Look at the image's tag and warm its newest digest now, and wait for it",
		Long: "Looks at the image's tag, makes its newest digest warm on all of its hosts (or those named\n" +
			"with --host) and waits until each has it or says why not. What failed before is tried at once.\n" +
			"Ctrl-C stops watching, not the warming.",
		Example: "  prewarm warm node-jobs\n" +
			"  prewarm warm node-jobs --host etl-1 --host etl-2",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.warm(cmd, args[0], hosts)
		},
	})
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "only on the host of this `name`; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
	return cmd
}

func (c *cli) warm(cmd *cobra.Command, image string, hosts []string) error {
	ctx := cmd.Context()
	unseen, err := c.look(ctx, image)
	if err != nil {
		return err
	}
	asked, err := c.client().Warm(ctx, image, hosts)
	if err != nil {
		return also(unseen, err)
	}
	watch := c.newWatcher(cmd.OutOrStdout())
	rollout, err := c.awaitWarm(ctx, image, asked.Digest, hosts, watch)
	watch.end()
	if err != nil {
		return also(unseen, err)
	}
	if c.json() {
		if err := printJSON(cmd.OutOrStdout(), rollout); err != nil {
			return err
		}
	}
	return also(unseen, coldError(image, rollout))
}

// look has the server look at the image's tag. Where the registry does not let
// it, that comes as unseen: the newest digest that was seen can be warmed all
// the same, but nobody may take it for the newest there is.
func (c *cli) look(ctx context.Context, image string) (unseen, err error) {
	_, err = c.client().Check(ctx, image)
	if err == nil {
		return nil, nil
	}
	p := problem.From(err)
	registry := []problem.Code{
		problem.TagNotFound, problem.RegistryAuth, problem.RegistryLimited, problem.RegistryUnavailable, problem.RegistryAnswer,
	}
	if !slices.Contains(registry, p.Code) {
		return nil, err
	}
	return problem.New(p.Code, "the tag could not be looked at, only what it showed before is warmed: "+p.Error(), p.Mend), nil
}

// also puts two errors into one line; either may be nil.
func also(first, second error) error {
	if first == nil || second == nil {
		return cmp.Or(first, second)
	}
	return fmt.Errorf("%w; %w", first, second)
}

// watcher shows how warming goes.
type watcher interface {
	show(hosts []api.HostCopy)
	end()
}

func (c *cli) newWatcher(w io.Writer) watcher {
	if c.json() {
		return quiet{}
	}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		if o, ok := w.(*standardOutput); ok {
			w = o.file // mpb knows a terminal by its file alone
		}
		return newBars(w)
	}
	return &lines{w: w, last: make(map[string]string)}
}

// pollWarm is how often warming is looked at: often enough for a bar to move
// smoothly, one small request each.
const pollWarm = 200 * time.Millisecond

// awaitWarm watches a digest until it is warm or has failed on each host.
func (c *cli) awaitWarm(ctx context.Context, image, digest string, hosts []string, watch watcher) (api.Rollout, error) {
	tick := time.NewTicker(pollWarm)
	defer tick.Stop()
	for {
		now, err := c.client().Image(ctx, image)
		if err != nil {
			return api.Rollout{}, err
		}
		rollout, ok := find(now, digest)
		if !ok {
			return rollout, fmt.Errorf("warm %s: %s was overtaken by a newer digest", image, shortDigest(digest))
		}
		if err := heldError(image, rollout); err != nil {
			return rollout, err
		}
		if len(hosts) > 0 {
			rollout.Hosts = slices.DeleteFunc(rollout.Hosts, func(h api.HostCopy) bool { return !slices.Contains(hosts, h.Host) })
		}
		watch.show(rollout.Hosts)
		if !slices.ContainsFunc(rollout.Hosts, underWay) {
			return rollout, nil
		}
		select {
		case <-ctx.Done():
			return rollout, ctx.Err()
		case <-tick.C:
		}
	}
}

// heldError says why nothing is pulled and nothing will be; nil while that may
// change soon: a verification goes on.
func heldError(image string, r api.Rollout) error {
	soon := len(r.Holds) == 0 || slices.Equal(r.Holds, []string{"verification"}) && r.Trust.Verdict == nil
	if r.Phase != "held" || soon {
		return nil
	}
	name, mend := trackName(image, r.Tag), "see prewarm history "+image
	if approvable(r) {
		mend = fmt.Sprintf("prewarm approve %s %s lets it pass", name, shortDigest(r.Digest))
	}
	return problem.New(problem.ImageNotWarm, fmt.Sprintf("warm %s: %s is held: %s", image, shortDigest(r.Digest), holds(r)), mend)
}

func find(image api.Image, digest string) (api.Rollout, bool) {
	for _, t := range image.Tracks {
		for _, r := range rollouts(t) {
			if r.Digest == digest {
				return r, true
			}
		}
	}
	return api.Rollout{}, false
}

// underWay tells whether a copy may be warm soon.
func underWay(h api.HostCopy) bool {
	return slices.Contains([]string{"pulling", "waiting", "unknown"}, h.State)
}

// coldError says on which hosts a digest did not become warm.
func coldError(image string, r api.Rollout) error {
	var cold []string
	for _, h := range r.Hosts {
		if h.State != "warm" {
			cold = append(cold, h.Host+": "+stateOf(h))
		}
	}
	if len(cold) == 0 {
		return nil
	}
	return errors.New(image + " is not warm on every host: " + strings.Join(cold, "; "))
}

// stateOf is the state of a copy, with the reason if there is one.
func stateOf(h api.HostCopy) string {
	if h.Reason == "" {
		return h.State
	}
	return h.State + ": " + h.Reason
}

// quiet shows nothing.
type quiet struct{}

func (quiet) show([]api.HostCopy) {}
func (quiet) end()                {}

// lines writes a line for each change: for files and pipes.
type lines struct {
	w    io.Writer
	last map[string]string
}

func (l *lines) show(hosts []api.HostCopy) {
	for _, h := range hosts {
		if text := stateOf(h); l.last[h.Host] != text {
			l.last[h.Host] = text
			fmt.Fprintf(l.w, "%s: %s\n", h.Host, text)
		}
	}
}

func (l *lines) end() {}
