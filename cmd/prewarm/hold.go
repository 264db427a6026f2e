package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newHold() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "hold IMAGE",
		Short: "Stop the image's promotions; warming goes on",
		Long: "What runs get stays what it is, whatever is pushed, until prewarm unhold. New digests are warmed\n" +
			"all the same, so that they go live at once then. A rollback goes through in spite of it.",
		Example:           "  prewarm hold node-jobs",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := c.client().Hold(cmd.Context(), args[0], api.HoldRequest{By: who()})
			if err != nil {
				return err
			}
			return c.printHold(cmd.OutOrStdout(), image, fmt.Sprintf(
				"promotions of %s are held, and warming goes on; prewarm unhold %s ends that", image.Name, image.Name))
		},
	})
}

func (c *cli) newUnhold() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:               "unhold IMAGE",
		Short:             "Let the image's promotions go on",
		Long:              "Ends a prewarm hold. A digest that became warm meanwhile goes live at once.",
		Example:           "  prewarm unhold node-jobs",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := c.client().Unhold(cmd.Context(), args[0], api.HoldRequest{By: who()})
			if err != nil {
				return err
			}
			return c.printHold(cmd.OutOrStdout(), image, fmt.Sprintf("promotions of %s go on", image.Name))
		},
	})
}

// printHold says what happened and, of each tag, what comes next.
func (c *cli) printHold(w io.Writer, image api.Image, what string) error {
	if c.json() {
		return printJSON(w, image)
	}
	fmt.Fprintln(w, what)
	for _, t := range image.Tracks {
		for _, r := range t.Coming {
			fmt.Fprintf(w, "%s %s is warm on %s\n", trackName(image.Name, t.Tag), shortDigest(r.Digest), warmOn(r))
		}
	}
	return nil
}

// warmOn counts the hosts that have a digest.
func warmOn(r api.Rollout) string {
	n := 0
	for _, h := range r.Hosts {
		if h.State == "warm" {
			n++
		}
	}
	return fmt.Sprintf("%d of %s", n, count(len(r.Hosts), "host"))
}
