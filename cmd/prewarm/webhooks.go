package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newWebhooks() *cobra.Command {
	limit := 20
	cmd := c.remote(&cobra.Command{
		Use:   "webhooks [NAME]",
		Short: "List the webhooks, or the last deliveries to one and what they led to",
		Long: "Lists the webhooks: what they may speak of and what became of their deliveries since the server's\n" +
			"start. With a name it lists the last deliveries to that webhook: when they came and from where, what\n" +
			"was made of each, and what the looks found that it led to. Of many that are refused, one in a second\n" +
			"is kept, with their number.",
		Example: "  prewarm webhooks\n" +
			"  prewarm webhooks ci --limit 5",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misused(cmd, fmt.Sprintf("%s takes one webhook, and got %q too", cmd.CommandPath(), args[1]))
			}
			return nil
		},
		ValidArgsFunction: c.completeWebhook,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > maxHistory {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 to %d", limit, maxHistory))
			}
			name := strings.Join(args, "")
			found, err := c.client().Webhooks(cmd.Context(), name, limit)
			if err != nil {
				return err
			}
			switch out := cmd.OutOrStdout(); {
			case c.json():
				return printJSON(out, found)
			case name == "":
				printWebhooks(out, found.Webhooks)
			default:
				printDeliveries(out, found.Webhooks)
			}
			return nil
		},
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most this `number` of deliveries")
	return cmd
}

func printWebhooks(w io.Writer, all []api.Webhook) {
	if len(all) == 0 {
		fmt.Fprintln(w, "the configuration has no webhooks")
		return
	}
	t := newTable(w, "WEBHOOK", "KIND", "PROOF", "MAY SPEAK OF", "ACCEPTED", "IRRELEVANT", "REPEATED", "REFUSED", "LAST")
	for _, h := range all {
		last := "-"
		if len(h.Deliveries) > 0 {
			last = stamp(&h.Deliveries[0].At)
		}
		t.AppendRow(table.Row{
			h.Name, h.Kind, proofOf(h), strings.Join(h.Repositories, ", "),
			h.Counts.Accepted, h.Counts.Irrelevant, h.Counts.Repeated, h.Counts.Refused, last,
		})
	}
	t.Render()
}

// proofOf says by what a webhook knows its sender.
func proofOf(h api.Webhook) string {
	var by []string
	if h.Signed {
		by = append(by, "headers")
	}
	if h.SecretPath {
		by = append(by, "address")
	}
	return known(strings.Join(by, ", "))
}

func printDeliveries(w io.Writer, all []api.Webhook) {
	for _, h := range all {
		if len(h.Deliveries) == 0 {
			fmt.Fprintln(w, "nothing was delivered yet")
			return
		}
		t := newTable(w, "AT", "FROM", "VERDICT", "EVENTS", "IMAGES", "LED TO")
		for _, d := range h.Deliveries {
			verdict := d.Verdict
			if d.Stands > 1 {
				verdict += fmt.Sprintf(" ×%d", d.Stands)
			}
			t.AppendRow(table.Row{
				stamp(&d.At), known(plain(d.From)), verdict, d.Events, known(strings.Join(d.Images, ", ")), known(plain(cmp.Or(d.Led, d.Detail))),
			})
		}
		t.Render()
	}
}

// completeWebhook completes the first argument with the server's webhooks.
func (c *cli) completeWebhook(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	all, err := c.client().Webhooks(ctx, "", 1)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, h := range all.Webhooks {
		names = append(names, h.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
