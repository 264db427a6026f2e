package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newImages() *cobra.Command {
	var hosts []string
	cmd := c.remote(&cobra.Command{
		Use:   "images",
		Short: "List every image on the hosts: its size, who uses it, and whether it stays",
		Long: "Asks the engines what they hold, Prewarm's images and others. ALONE is what the removal of the\n" +
			"image alone would free, since the rest is shared with others; ~ marks an estimate. The verdict is\n" +
			"what the next routine prune does with it, and why. prewarm explain tells more of one image;\n" +
			"prewarm status shows which host has what it should have.",
		Example: "  prewarm images --host etl-1\n" +
			"  prewarm images -o json | jq '.hosts[].images[] | select(.verdict.goes)'",
		Args: noArgs,
		RunE: stockVerb(c, &hosts, func(found fleetStock) fleetStock { return found }, printImages),
	})
	c.hostsFlag(cmd, &hosts)
	return cmd
}

// stockVerb asks the hosts what they hold, and shows a view of it: also of those
// that answered, where others did not.
func stockVerb[T any](c *cli, hosts *[]string, view func(fleetStock) T, show func(io.Writer, T)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		found, err := c.stocks(cmd.Context(), *hosts)
		if err != nil {
			return err
		}
		if c.json() {
			err = printJSON(cmd.OutOrStdout(), view(found))
		} else {
			show(cmd.OutOrStdout(), view(found))
		}
		if err != nil {
			return err
		}
		return found.failure()
	}
}

// hostsFlag lets a verb be about some hosts only.
func (c *cli) hostsFlag(cmd *cobra.Command, hosts *[]string) {
	cmd.Flags().StringSliceVar(hosts, "host", nil, "only the host of this `name`; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
}

// maxUsers is how many containers of an image a table names.
const maxUsers = 2

func printImages(w io.Writer, found fleetStock) {
	if len(found.Hosts) == 0 {
		if len(found.Failed) == 0 {
			fmt.Fprintln(w, "the configuration has no hosts")
		}
		return
	}
	t := newTable(w, "HOST", "NAMES", "ID", "SIZE", "ALONE", "USED BY", "LAST USED", "VERDICT")
	for _, h := range found.Hosts {
		for _, i := range h.Images {
			t.AppendRow(imageRow(h.Host, i))
		}
		if len(h.Images) == 0 {
			t.AppendRow(table.Row{h.Host, "no images"})
		}
	}
	t.Render()
}

func imageRow(host string, i api.StockImage) table.Row {
	return table.Row{
		host, shortNames(imageNames(i)), shortDigest(i.ID), size(i.Bytes), guessed(i.AloneBytes, i.AloneExact),
		users(i.Containers, maxUsers), lastUsed(i), fate(i.Verdict),
	}
}
