package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
)

func (c *cli) newCheck() *cobra.Command {
	var explain bool
	var path string
	cmd := c.remote(&cobra.Command{
		Use:   "check IMAGE",
		Short: "Look at the image's tags in the registry now",
		Long: "Asks the registry now what the image's tags point at. A new digest begins to be warmed, and goes\n" +
			"live once it is warm; one that is held waits for what holds it. This verb does not wait, warm does.\n\n" +
			"With --explain no server is needed: the configuration file says what the image follows, the\n" +
			"registry is asked, and for a selection each tag is listed with the reason why it is taken or\n" +
			"passed over. Nothing changes, and what a server chose before is not known to it.",
		Example: "  prewarm check node-jobs\n" +
			"  prewarm check node-jobs --explain --config prewarm.yaml",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case explain:
				return c.explain(cmd, path, args[0])
			case cmd.Flags().Changed("config"):
				return misused(cmd, "--config goes with --explain: without it the server looks, by its own configuration")
			}
			found, err := c.client().Check(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			printChecked(cmd.OutOrStdout(), found)
			return nil
		},
	})
	cmd.Flags().BoolVar(&explain, "explain", false, "say of each tag why it is taken or passed over; needs no server")
	configFlag(cmd, &path)
	return cmd
}

func printChecked(w io.Writer, found api.CheckResult) {
	t := newTable(w, "IMAGE", "TAG", "DIGEST", "")
	for _, tag := range found.Tracks {
		t.AppendRow(table.Row{found.Image, cmp.Or(tag.Tag, "(digest)"), tag.Digest, news(tag)})
	}
	t.Render()
}

// news says what becomes of what a tag shows.
func news(c api.Checked) string {
	held := strings.ReplaceAll(strings.Join(c.Holds, ", "), "_", " ")
	switch {
	case c.New && held != "":
		return "new: held (" + held + ")"
	case held != "":
		return "as before: held (" + held + ")"
	case c.New:
		return "new: warming begins"
	}
	return "as before"
}

// explain works on the configuration file alone.
func (c *cli) explain(cmd *cobra.Command, path, image string) error {
	loaded, err := config.Load(path, os.Environ())
	if err != nil {
		return err
	}
	e, err := app.Explain(cmd.Context(), loaded, image, buildVersion())
	if err != nil {
		return err
	}
	if c.json() {
		return printJSON(cmd.OutOrStdout(), e)
	}
	printExplanation(cmd.OutOrStdout(), e)
	return nil
}

func printExplanation(w io.Writer, e app.Explanation) {
	switch {
	case e.Tag != "":
		fmt.Fprintf(w, "%s follows the tag %s of %s; it shows %s, for %s\n", e.Image, e.Tag, e.Repository, e.Shows, strings.Join(e.Platforms, ", "))
		return
	case e.Digest != "":
		fmt.Fprintf(w, "%s follows the digest %s of %s and no tag; the registry has it, for %s\n", e.Image, e.Digest, e.Repository, strings.Join(e.Platforms, ", "))
		return
	case len(e.Tags) == 0:
		fmt.Fprintf(w, "%s has no tags\n", e.Repository)
		return
	}
	t := newTable(w, "TAG", "TAKEN", "COMPARED AS", "WHY")
	for _, tag := range e.Tags {
		taken := "no"
		if tag.Taken {
			taken = "yes"
		}
		t.AppendRow(table.Row{tag.Tag, taken, known(tag.Key), tag.Reason})
	}
	t.Render()
}
