package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newAudit() *cobra.Command {
	f := api.CallFilter{Limit: 50}
	cmd := c.remote(&cobra.Command{
		Use:   "audit",
		Short: "List who changed what: every call that may have",
		Long: "Lists the newest calls that may have changed something, the oldest of them first: by which token,\n" +
			"from where, and how they were answered. A call is written down before it is carried out; one\n" +
			"without a status was never answered. They are kept for state.keep (90 days), and 100,000 of\n" +
			"each caller.",
		Example: "  prewarm audit --caller airflow --limit 200\n" +
			"  prewarm audit -o json | jq -r '.calls[] | select(.status >= 400)'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Limit < 1 || f.Limit > maxHistory {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 to %d", f.Limit, maxHistory))
			}
			calls, err := c.client().Calls(cmd.Context(), f)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), calls)
			}
			printCalls(cmd.OutOrStdout(), calls.Calls)
			return nil
		},
	})
	cmd.Flags().StringVar(&f.Caller, "caller", "", "only calls by the token, or certificate, of this `name`")
	cmd.Flags().StringVar(&f.After, "after", "", "only calls behind the one of this `id`, the next ones first")
	cmd.Flags().IntVar(&f.Limit, "limit", f.Limit, "show at most this `number` of calls")
	return cmd
}

func printCalls(w io.Writer, calls []api.Call) {
	if len(calls) == 0 {
		fmt.Fprintln(w, "no calls")
		return
	}
	t := newTable(w, "AT", "CALLER", "OPERATION", "PATH", "ABOUT", "STATUS", "FROM")
	for _, c := range calls {
		caller, status := c.Caller, fmt.Sprint(c.Status)
		if caller == "" {
			caller = "(this machine)"
		}
		if c.Status == 0 {
			status = "never answered"
		}
		t.AppendRow(table.Row{stamp(&c.At), plain(caller), c.Operation, plain(c.Path), known(plain(c.Subject)), status, c.Remote})
	}
	t.Render()
}
