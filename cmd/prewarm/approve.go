package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newApprove() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "approve IMAGE[:TAG] DIGEST",
		Short: "Let a digest pass that is held or was rejected",
		Long: "Lets a digest pass that waits for an approval or for its cooldown, or that somebody rolled back\n" +
			"from. It is warmed then, and goes live by the image's rules. The beginning of the digest is\n" +
			"enough. A verification that said no stands.",
		Example: "  prewarm approve node-jobs sha256:3f1d9c5b2a6e\n" +
			"  prewarm approve node-jobs:1.4.2 3f1d9c",
		Args:              imageAnd(1, 1),
		ValidArgsFunction: c.completeTrack,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := c.client().Approve(cmd.Context(), args[0], api.ApproveRequest{Digest: args[1], By: who()})
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), d)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "approved %s of %s; %s\n", shortDigest(d.Rollout.Digest), trackName(d.Image, d.Rollout.Tag), approved(d.Rollout))
			return err
		},
	})
}

// approved says what comes next.
func approved(r api.Rollout) string {
	switch {
	case len(r.Holds) > 0:
		return "it is still held: " + holds(r)
	case r.Phase == "current":
		return "it is current"
	default:
		return "it is warmed now, and goes live by the image's rules"
	}
}
