package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newNotices() *cobra.Command {
	var route string
	limit := 20
	cmd := c.remote(&cobra.Command{
		Use:   "notices",
		Short: "List what people were told, or are to be told",
		Long: "Lists the newest notices of the configured routes: what each is about, whether it was sent, how\n" +
			"often that was tried, when it is tried next and why it failed. Those that were sent are kept for\n" +
			"a week. All that failed are tried again at once when the configuration is read again: send the\n" +
			"server SIGHUP.",
		Example: "  prewarm notices\n" +
			"  prewarm notices --route data-eng --limit 5",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxHistory {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 to %d", limit, maxHistory))
			}
			found, err := c.client().Notices(cmd.Context(), route, limit)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			printNotices(cmd.OutOrStdout(), route, found.Notices)
			return nil
		},
	})
	cmd.Flags().StringVar(&route, "route", "", "only those of the route of this `name`")
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most this `number` of notices")
	return cmd
}

// printNotices lists the notices of a route, or of all where it is empty.
func printNotices(w io.Writer, route string, notices []api.Notice) {
	switch {
	case len(notices) > 0:
	case route != "":
		fmt.Fprintf(w, "nobody was told anything by a route %s yet\n", route)
		return
	default:
		fmt.Fprintln(w, "nobody was told anything yet")
		return
	}
	failed := false
	t := newTable(w, "TIME", "ROUTE", "KINDS", "TITLE", "STATE", "TRIES", "NEXT", "ERROR")
	for _, n := range notices {
		t.AppendRow(table.Row{stamp(&n.MadeAt), n.Route, strings.Join(n.Kinds, ", "), plain(n.Title), n.State, n.Tries, stamp(n.DueAt), plain(n.Error)})
		failed = failed || n.State == "failed"
	}
	t.Render()
	if failed {
		fmt.Fprintln(w, "\nwhat failed is tried again at NEXT, or at once: mend the cause, and let the server read its configuration again (SIGHUP)")
	}
}
