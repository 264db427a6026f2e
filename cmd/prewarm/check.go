package main

import (
	"cmp"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (c *cli) newCheck() *cobra.Command {
	return c.imageArg(&cobra.Command{
		Use:   "check IMAGE",
		Short: "Look at the image's tag in the registry now",
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
