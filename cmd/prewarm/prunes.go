package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newPrunes() *cobra.Command {
	var host string
	var removals bool
	limit := 20
	cmd := c.remote(&cobra.Command{
		Use:   "prunes",
		Short: "List the passes of prune: when, why, and what they freed",
		Long: "Lists the newest passes over the hosts, scheduled ones too: who or what asked for them, how many of\n" +
			"the chosen images went, what was to become free and what did. With --removals each image is listed\n" +
			"that was chosen, with the reason.",
		Example: "  prewarm prunes --host etl-1\n" +
			"  prewarm prunes --removals --limit 3",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxHistory {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 to %d", limit, maxHistory))
			}
			found, err := c.client().Prunes(cmd.Context(), host, limit)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			printPrunes(cmd.OutOrStdout(), found.Passes, removals)
			return nil
		},
	})
	cmd.Flags().StringVar(&host, "host", "", "only passes over the host of this `name`")
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most this `number` of passes")
	cmd.Flags().BoolVar(&removals, "removals", false, "list what each pass removed")
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
	return cmd
}

func printPrunes(w io.Writer, passes []api.Pass, removals bool) {
	if len(passes) == 0 {
		fmt.Fprintln(w, "no pass has been made yet")
		return
	}
	if removals {
		for i, p := range passes {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%s, host %s, %s: %s\n", stamp(&p.BegunAt), p.Host, asker(p), strings.Join(append([]string{passText(p)}, passNotes(p)...), "; "))
			printRemovals(w, p)
		}
		return
	}
	t := newTable(w, "BEGUN", "HOST", "FOR", "GONE", "STAY", "PREDICTED", "FREED", "TOOK", "NOTE")
	for _, p := range passes {
		t.AppendRow(table.Row{
			stamp(&p.BegunAt), p.Host, asker(p), fmt.Sprintf("%d/%d", wentOf(p), len(p.Removals)), p.Stays,
			size(p.PredictedBytes), size(p.FreedBytes), passTook(p), strings.Join(passNotes(p), "; "),
		})
	}
	t.Render()
}

// asker is who or what a pass was made for.
func asker(p api.Pass) string {
	if p.Trigger == "person" && p.By != "" {
		return plain(p.By)
	}
	return p.Trigger
}

func passTook(p api.Pass) string {
	if p.EndedAt == nil {
		return "-"
	}
	return max(p.EndedAt.Sub(p.BegunAt), 0).Round(time.Second).String()
}

// passNotes are what is out of the ordinary of a pass.
func passNotes(p api.Pass) (notes []string) {
	if p.DryRun {
		notes = append(notes, "dry run")
	}
	if p.EndedAt == nil {
		notes = append(notes, "has not ended, or was cut short")
	}
	if p.Stopped != "" {
		notes = append(notes, "stopped: "+plain(p.Stopped))
	}
	if p.ShortBytes > 0 {
		notes = append(notes, fmt.Sprintf("short by %s of %s", size(p.ShortBytes), size(p.NeedBytes)))
	}
	return notes
}
