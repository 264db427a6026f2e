package main

import (
	"cmp"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (c *cli) newCheck() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "check IMAGE",
		Short: "Look at the image's tag in the registry now",
		Long: "Asks the registry now what the image's tag points at. A new digest begins to be warmed, and goes\n" +
			"live once it is warm; this verb does not wait for that, warm does.",
		Example:           "  prewarm check node-jobs",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := c.client().Check(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			t := newTable(cmd.OutOrStdout(), "IMAGE", "TAG", "DIGEST", "")
			for _, tag := range found.Tracks {
				news := "as before"
				if tag.New {
					news = "new: warming begins"
				}
				t.AppendRow(table.Row{found.Image, cmp.Or(tag.Tag, "(digest)"), tag.Digest, news})
			}
			t.Render()
			return nil
		},
	})
}
