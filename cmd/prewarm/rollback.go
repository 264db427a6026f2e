package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newRollback() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "rollback IMAGE[:TAG] [DIGEST]",
		Short: "Make an earlier digest current again",
		Long: "Goes back to the digest that was current before, or to the named one: at once where it is still\n" +
			"warm on a host, else as soon as it is. The digest that it replaces is rejected: it does not go\n" +
			"live again until prewarm approve. Other new digests go live as usual; prewarm hold stops them.",
		Example: "  prewarm rollback node-jobs\n" +
			"  prewarm rollback node-jobs:1.4.2 sha256:3f1d9c5b2a6e",
		Args:              imageAnd(0, 1),
		ValidArgsFunction: c.completeTrack,
		RunE: func(cmd *cobra.Command, args []string) error {
			asked := api.RollbackRequest{By: who()}
			if len(args) > 1 {
				asked.Digest = args[1]
			}
			d, err := c.client().Rollback(cmd.Context(), args[0], asked)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), d)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), wentBack(d))
			return err
		},
	})
}

// wentBack says what happened and what comes next.
func wentBack(d api.Decision) string {
	name, to, left := trackName(d.Image, d.Rollout.Tag), shortDigest(d.Rollout.Digest), shortDigest(d.Left)
	if d.Rollout.Phase != "current" {
		return fmt.Sprintf("%s goes back to %s as soon as it is warm (now on %s); until then %s stays current, and it is rejected after",
			name, to, warmOn(d.Rollout), left)
	}
	text := fmt.Sprintf("rolled back %s to %s (warm on %s)", name, to, warmOn(d.Rollout))
	if d.Left == "" {
		return text
	}
	return fmt.Sprintf("%s; %s is rejected until prewarm approve %s %s", text, left, name, left)
}
