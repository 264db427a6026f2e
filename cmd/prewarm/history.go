package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newHistory() *cobra.Command {
	limit := 20
	cmd := c.remote(&cobra.Command{
		Use:   "history IMAGE",
		Short: "Show the image's digests, and what people did to it",
		Long: "Lists the digests that the image's tags showed, newest first: since when, what became of them,\n" +
			"who made them current, and of what source they say they were built. Below is what people did:\n" +
			"approvals, holds, rollbacks. Names are what callers said of themselves.",
		Example: "  prewarm history node-jobs\n" +
			"  prewarm history node-jobs --limit 100 -o json",
		Args:              oneImage,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > maxHistory {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 to %d", limit, maxHistory))
			}
			history, err := c.client().History(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), history)
			}
			printHistory(cmd.OutOrStdout(), history)
			return nil
		},
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "show at most this `number` of digests, and of acts")
	return cmd
}

// maxHistory is what the server gives at once.
const maxHistory = 1000

func printHistory(w io.Writer, h api.History) {
	if len(h.Rollouts) == 0 {
		fmt.Fprintf(w, "no digest of %s has been seen yet\n", h.Image)
	} else {
		t := newTable(w, "SEEN", "TAG", "DIGEST", "PHASE", "PROMOTED", "BY", "VERSION", "REVISION", "SOURCE")
		for _, r := range h.Rollouts {
			t.AppendRow(table.Row{
				stamp(&r.SeenAt), cmp.Or(r.Tag, "(digest)"), shortDigest(r.Digest), pastPhase(r), stamp(r.PromotedAt), promotedBy(r),
				known(build(r).Version), known(shortRevision(build(r).Revision)), known(build(r).Source),
			})
		}
		t.Render()
	}
	if len(h.Acts) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "WHEN", "WHAT", "TAG", "DIGEST", "BY", "DETAIL")
	for _, a := range h.Acts {
		t.AppendRow(table.Row{stamp(&a.At), a.Verb, known(a.Tag), known(shortDigest(a.Digest)), known(plain(a.By)), a.Detail})
	}
	t.Render()
}

// stamp is a moment in local time.
func stamp(at *time.Time) string {
	if at == nil || at.IsZero() {
		return "-"
	}
	return at.Local().Format(time.DateTime)
}

// pastPhase is a phase with what led to it.
func pastPhase(r api.Rollout) string {
	text := r.Phase
	if r.Origin != "tag" {
		text += ", by " + r.Origin
	}
	switch v := r.Trust.Verdict; {
	case v == nil:
	case v.Failure != "":
		text += ", not verified"
	case v.OK:
		text += ", verified"
	default:
		text += fmt.Sprintf(", verification said no (exit code %d)", v.ExitCode)
	}
	return text
}

func promotedBy(r api.Rollout) string {
	if r.PromotedAt == nil {
		return "-"
	}
	return plain(cmp.Or(r.PromotedBy, "itself"))
}

func build(r api.Rollout) api.Build {
	if r.Build == nil {
		return api.Build{}
	}
	return *r.Build
}

// shortRevision is enough of a commit to find it.
func shortRevision(s string) string {
	if len(s) == 40 && strings.Trim(s, "0123456789abcdef") == "" {
		return s[:12]
	}
	return s
}
