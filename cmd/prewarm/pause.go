package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// activities are what can be paused, with what a pause means.
var activities = map[string]string{
	"watching": "tags are looked at only when prewarm check asks for it",
	"warming":  "no new pull is started, and those under way go on",
	"pruning":  "no image is removed",
}

// activityNames are those of activities, as they are listed.
var activityNames = []string{"watching", "warming", "pruning"}

func (c *cli) newPause() *cobra.Command {
	return c.pauseVerb(&cobra.Command{
		Use:   "pause watching|warming|pruning",
		Short: "Stop looking at tags, pulling, or removing images, until prewarm resume",
		Long: "Pauses an activity on the whole fleet, or warming or pruning on one host: for a maintenance of the\n" +
			"registry, or of the network. A pause survives restarts of the server; prewarm status shows it.",
		Example: "  prewarm pause watching\n" +
			"  prewarm pause warming --host etl-1\n" +
			"  prewarm pause pruning",
	}, (*api.Client).Pause, func(what, host string) string {
		return fmt.Sprintf("%s is paused on %s: %s; %s ends that", what, where(host), activities[what], resume(what, host))
	})
}

func (c *cli) newResume() *cobra.Command {
	return c.pauseVerb(&cobra.Command{
		Use:   "resume watching|warming|pruning",
		Short: "End a pause",
		Long: "Ends what prewarm pause began. Looks at tags that were missed are made up for by one. A pause of\n" +
			"the fleet and one of a host are two: each is ended by itself.",
		Example: "  prewarm resume watching\n" +
			"  prewarm resume warming --host etl-1",
	}, (*api.Client).Resume, func(what, host string) string {
		return fmt.Sprintf("%s goes on on %s", what, where(host))
	})
}

// pauseVerb makes one of the two.
func (c *cli) pauseVerb(cmd *cobra.Command, do func(*api.Client, context.Context, api.PauseRequest) (api.Pauses, error), said func(what, host string) string) *cobra.Command {
	var host string
	cmd.Args = oneActivity
	cmd.ValidArgs = activityNames
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := do(c.client(), cmd.Context(), api.PauseRequest{What: args[0], Host: host, By: who()})
		if err != nil {
			return err
		}
		if c.json() {
			return printJSON(cmd.OutOrStdout(), all)
		}
		fmt.Fprintln(cmd.OutOrStdout(), said(args[0], host))
		printPauses(cmd.OutOrStdout(), all.Pauses, args[0], host)
		return nil
	}
	cmd.Flags().StringVar(&host, "host", "", "only on the host of this `name`; watching is the fleet's alone")
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
	return c.remote(cmd)
}

// printPauses tells what is paused beside what the verb was about.
func printPauses(w io.Writer, all []api.Pause, what, host string) {
	for _, p := range all {
		if p.What != what || p.Host != host {
			fmt.Fprintln(w, pauseText(p))
		}
	}
}

// placing is paused on a host that is drained.
const placing = "placing"

func pauseText(p api.Pause) string {
	text := fmt.Sprintf("%s is paused on %s since %s", p.What, where(p.Host), stamp(&p.Since))
	if p.By != "" {
		text += " by " + plain(p.By)
	}
	return text + ": " + resume(p.What, p.Host) + " ends that"
}

// resume is the command that ends a pause.
func resume(what, host string) string {
	if what == placing {
		return "prewarm undrain " + host
	}
	if host == "" {
		return "prewarm resume " + what
	}
	return "prewarm resume " + what + " --host " + host
}

func where(host string) string {
	if host == "" {
		return "the fleet"
	}
	return "host " + host
}

// oneActivity wants one argument, the activity.
func oneActivity(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return misused(cmd, "name the activity: "+cmd.UseLine())
	case len(args) > 1:
		return misused(cmd, fmt.Sprintf("%s takes one activity, and got %q too", cmd.CommandPath(), args[1]))
	case !slices.Contains(activityNames, args[0]):
		return misused(cmd, fmt.Sprintf("there is no activity %q: want watching, warming or pruning%s", args[0], meant(args[0], activityNames)))
	}
	return nil
}
