package main

import (
	"fmt"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func (c *cli) newPrune() *cobra.Command {
	var r api.PruneRequest
	var dryRun bool
	var free string
	cmd := c.remote(&cobra.Command{
		Use:   "prune",
		Short: "Remove from the hosts what the policy lets go, or say what would go",
		Long: "Makes a pass over the hosts now. What is current, on its way, pinned, in use, protected or too young\n" +
			"never goes. With --free, images go until so much has become free, those kept for a rollback last;\n" +
			"with --image only digests of that image go. Every pass is recorded: prewarm prunes.\n\n" +
			"The exit code is 1 where a pass was stopped, a removal failed, less would become free, or became\n" +
			"free, than was asked for, or the configuration (prune.dry_run) lets nothing be removed.",
		Example: "  prewarm prune --dry-run\n" +
			"  prewarm prune --host etl-1 --free 20GB\n" +
			"  prewarm prune --image node-jobs -o json",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("free") {
				bytes, err := readFree(free)
				if err != nil {
					return misused(cmd, err.Error())
				}
				r.FreeBytes = bytes
			}
			r.By = who()
			made, err := c.client().Prune(cmd.Context(), r, dryRun)
			if err != nil {
				return err
			}
			if c.json() {
				err = printJSON(cmd.OutOrStdout(), made)
			} else {
				printPasses(cmd.OutOrStdout(), made.Passes)
			}
			if err != nil {
				return err
			}
			return shortcoming(made.Passes, dryRun)
		},
	})
	flags := cmd.Flags()
	flags.BoolVar(&dryRun, "dry-run", false, "remove nothing, and say what would go")
	flags.StringVar(&r.Image, "image", "", "only digests of this `image`")
	flags.StringVar(&free, "free", "", "make this `size` free on each host, as 20GB or 500MB, whatever its marks say")
	c.hostsFlag(cmd, &r.Hosts)
	_ = cmd.RegisterFlagCompletionFunc("image", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return c.completeImage(cmd, nil, word)
	})
	return cmd
}

// readFree reads a size as the tables write it: 20GB are 20,000,000,000 bytes.
// Who writes 20GiB gets powers of two.
func readFree(text string) (int64, error) {
	read := units.FromHumanSize
	if strings.HasSuffix(strings.ToLower(text), "ib") {
		read = units.RAMInBytes
	}
	bytes, err := read(text)
	if err != nil || bytes <= 0 {
		return 0, fmt.Errorf("--free %q: write how much is to become free, as 20GB or 500MB", text)
	}
	return bytes, nil
}

// shortcoming is the error of passes that did not do what they were to do. dryRun
// tells that nothing was to be removed.
func shortcoming(passes []api.Pass, dryRun bool) error {
	var reasons []string
	code, mend := problem.NoSpace, ""
	for _, p := range passes {
		var why []string
		if p.Stopped != "" {
			code = problem.PruneStopped
			why = append(why, "the pass was stopped: "+plain(p.Stopped))
		}
		if p.DryRun && !dryRun && len(p.Removals) > 0 {
			why = append(why, "nothing was removed, since its configuration says prune.dry_run")
		}
		if failed, detail := failures(p); failed > 0 {
			why = append(why, count(failed, "removal")+" failed"+because(detail))
		}
		if p.ShortBytes > 0 {
			why = append(why, fmt.Sprintf("of the %s that were to become free, %s are missing", size(p.NeedBytes), size(p.ShortBytes)))
		}
		if len(why) > 0 {
			reasons = append(reasons, "host "+p.Host+": "+strings.Join(why, "; "))
			mend = "prewarm images --host " + p.Host + " says of each image why it stays"
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	if len(reasons) > 1 {
		mend = "prewarm images says of each image why it stays"
	}
	return problem.New(code, strings.Join(reasons, "; "), mend)
}

// failures counts the removals that the engine failed at, with the reason of
// the first.
func failures(p api.Pass) (n int, detail string) {
	for _, r := range p.Removals {
		if r.Outcome != "failed" {
			continue
		}
		if n++; n == 1 {
			detail = plain(r.Detail)
		}
	}
	return n, detail
}
