package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// dryRun asks what would become of a submit, and says it. What would be refused
// is an error, with the code of a run of which nothing was executed.
func (c *cli) dryRun(ctx context.Context, cmd *cobra.Command, r api.SubmitRun) error {
	check, err := c.client().CheckRun(ctx, r)
	if err != nil {
		return notExecuted(err)
	}
	if c.json() {
		err = printJSON(cmd.OutOrStdout(), check)
	} else {
		printCheck(cmd.OutOrStdout(), r.Image, check)
	}
	switch n := len(check.Problems); {
	case err != nil:
		return notExecuted(err)
	case n == 1:
		return notExecuted(fmt.Errorf("a run of %s would be refused", plain(r.Image)))
	case n > 1:
		return notExecuted(fmt.Errorf("a run of %s would be refused, for %d reasons", plain(r.Image), n))
	}
	return nil
}

// printCheck writes the hosts that could take the run, then what it would be
// refused for.
func printCheck(w io.Writer, asked string, check api.RunCheck) {
	image := check.Image
	if check.Tag != "" {
		image += ":" + check.Tag
	}
	switch {
	case image == "":
		fmt.Fprintf(w, "%s: no image of the configuration\n", plain(asked))
	case check.Pin == "":
		fmt.Fprintf(w, "%s: no digest yet\n", plain(image))
	default:
		fmt.Fprintf(w, "%s: %s\n", plain(image), plain(check.Pin))
	}
	if len(check.Hosts) > 0 {
		fmt.Fprintln(w)
		hosts := newTable(w, "HOST", "WARM")
		for _, h := range check.Hosts {
			warm := "no"
			if slices.Contains(check.Warm, h) {
				warm = "yes"
			}
			hosts.AppendRow(table.Row{h, warm})
		}
		hosts.Render()
	}
	if len(check.Problems) > 0 {
		fmt.Fprintln(w)
		problems := newTable(w, "PROBLEM", "WHY, AND WHAT TO DO")
		for _, p := range check.Problems {
			problems.AppendRow(table.Row{p.Code, plain(p.Detail)})
			if p.Mend != "" {
				problems.AppendRow(table.Row{"", plain(p.Mend)})
			}
		}
		problems.Render()
	}
}
