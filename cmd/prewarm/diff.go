package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newDiff() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "diff IMAGE[:TAG] [A] [B]",
		Short: "Compare two digests of the image: layers, size, configuration",
		Long: "Asks the registry what two digests hold, and shows the layers that only one of them has, how\n" +
			"much a host with A downloads for B, and what differs in their configurations. Without A and B it\n" +
			"is the current digest and the newest other one: held or on its way, else the one before. Without\n" +
			"B it is A and the current one. The beginning of a digest is enough where it was seen here.",
		Example: "  prewarm diff node-jobs\n" +
			"  prewarm diff node-jobs sha256:3f1d9c5b2a6e\n" +
			"  prewarm diff node-jobs:1.4.2 3f1d9c 81c0de -o json",
		Args:              imageAnd(0, 2),
		ValidArgsFunction: c.completeTrack,
		RunE: func(cmd *cobra.Command, args []string) error {
			args = append(args, "", "")
			d, err := c.client().Diff(cmd.Context(), args[0], args[1], args[2])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), d)
			}
			printDiff(cmd.OutOrStdout(), d)
			return nil
		},
	})
}

func printDiff(w io.Writer, d api.Diff) {
	fmt.Fprintf(w, "A %s %s\nB %s %s\n", shortDigest(d.A.Digest), sideText(d.A), shortDigest(d.B.Digest), sideText(d.B))
	shared := 0
	t := newTable(w, "LAYER", "IN", "SIZE", "MADE BY")
	for _, l := range d.Layers {
		if l.In == "both" {
			shared++
			continue
		}
		t.AppendRow(table.Row{shortDigest(l.Digest), strings.ToUpper(l.In), size(l.Bytes), text.Snip(plain(l.CreatedBy), maxStep, "…")})
	}
	fmt.Fprintf(w, "on %s they share %s; a host that has A downloads %s for B\n", d.Platform, count(shared, "layer"), size(d.TransferBytes))
	if t.Length() > 0 {
		fmt.Fprintln(w)
		t.Render()
	}
	fmt.Fprintln(w)
	if len(d.Changes) == 0 {
		fmt.Fprintln(w, "their configurations do not differ")
		return
	}
	t = newTable(w, "FIELD", "NAME", "A", "B")
	for _, change := range d.Changes {
		t.AppendRow(table.Row{change.Field, plain(change.Name), value(change.A), value(change.B)})
	}
	t.Render()
}

// maxStep is how much is shown of a build step, in characters.
const maxStep = 80

func sideText(s api.Side) string {
	made := ""
	if s.CreatedAt != nil {
		made = ", made " + stamp(s.CreatedAt)
	}
	return size(s.Bytes) + made
}

// value tells an empty value from none.
func value(v *string) string {
	switch {
	case v == nil:
		return "-"
	case *v == "":
		return `""`
	}
	return plain(*v)
}
