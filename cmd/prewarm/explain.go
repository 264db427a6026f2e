package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newExplain() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "explain HOST IMAGE|ID",
		Short: "Say why an image is on a host and stays or goes, or why it is not there",
		Long: "Tells of an image on a host what it is called there, what its removal would free (~ marks an\n" +
			"estimate), since when it is there, who uses it, when it was used last, what the next routine prune\n" +
			"does with it and why; then what is known to have happened to it. The image is a name of the\n" +
			"configuration, with a tag or without, repo:tag, repo@sha256:…, or the engine's id, shortened too.",
		Example: "  prewarm explain etl-1 node-jobs\n" +
			"  prewarm explain etl-1 node-jobs:1.4.2 -o json\n" +
			"  prewarm explain etl-1 4c3f1d9c5b2a",
		Args: hostAndImage,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return c.completeHost(cmd, args, word)
			case 1:
				return c.completeTrack(cmd, nil, word)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.client().Explain(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), e)
			}
			printDecision(cmd.OutOrStdout(), e)
			return nil
		},
	})
}

// hostAndImage wants two arguments.
func hostAndImage(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) < 2:
		return misused(cmd, "name the host and the image: "+cmd.CommandPath()+" HOST IMAGE")
	case len(args) > 2:
		return misused(cmd, fmt.Sprintf("%s takes a host and an image, and got %q too", cmd.CommandPath(), args[2]))
	}
	return nil
}

func printDecision(w io.Writer, e api.Explanation) {
	for n, i := range e.Images {
		if n > 0 {
			fmt.Fprintln(w)
		}
		printImage(w, e.Host, i)
	}
	switch {
	case e.Absent != "":
		fmt.Fprintf(w, "%s is not on %s: %s\n", plain(e.Image), e.Host, plain(e.Absent))
	case len(e.Images) == 0:
		fmt.Fprintf(w, "%s is not on %s\n", plain(e.Image), e.Host)
	}
	if len(e.Log) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "WHEN", "DIGEST", "WHAT")
	for _, o := range e.Log {
		t.AppendRow(table.Row{stamp(&o.At), known(shortName(o.Pin)), plain(o.What)})
	}
	t.Render()
}

func printImage(w io.Writer, host string, i api.StockImage) {
	names := imageNames(i)
	for n := range names {
		names[n] = plain(names[n])
	}
	fmt.Fprintf(w, "%s on %s\n", i.ID, host)
	for _, line := range [][2]string{
		{"names", known(strings.Join(names, ", "))},
		{"size", fmt.Sprintf("%s; removing it alone frees %s", size(i.Bytes), guessed(i.AloneBytes, i.AloneExact))},
		{"here since", stamp(&i.SeenAt)},
		{"last used", lastUsed(i)},
		{"used by", users(i.Containers, len(i.Containers))},
		{"verdict", fate(i.Verdict)},
	} {
		fmt.Fprintf(w, "  %-10s  %s\n", line[0], line[1])
	}
}
