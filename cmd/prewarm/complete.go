package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// completeWithin bounds a completion: a shell that hangs at the tab key is
// worse than one that completes nothing.
const completeWithin = 2 * time.Second

// completeImage completes the first argument with the server's images.
func (c *cli) completeImage(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.completeNames(cmd, args, func(image api.Image) []string { return []string{image.Name} })
}

// completeTrack completes the first argument with the server's images and their
// tags.
func (c *cli) completeTrack(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.completeNames(cmd, args, func(image api.Image) []string {
		names := []string{image.Name}
		for _, track := range image.Tracks {
			names = appendNew(names, trackName(image.Name, track.Tag))
		}
		return names
	})
}

// completeNames completes the first argument with what the server's images are
// called.
func (c *cli) completeNames(cmd *cobra.Command, args []string, of func(api.Image) []string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	all, err := c.client().Images(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, image := range all.Images {
		names = append(names, of(image)...)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeHost completes a flag with the server's hosts.
func (c *cli) completeHost(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	all, err := c.client().Hosts(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, host := range all.Hosts {
		names = append(names, host.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
