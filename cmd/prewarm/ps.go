package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// runStates are all there are.
var runStates = []string{
	"queued", "placed", "starting", "running", "canceling",
	"succeeded", "failed", "canceled", "timed_out", "interrupted", "lost", "refused",
}

func (c *cli) newPs() *cobra.Command {
	var f api.RunFilter
	var all bool
	limit := 50
	cmd := c.remote(&cobra.Command{
		Use:   "ps",
		Short: "List runs: those under way, or all",
		Long: "Lists the runs that have no outcome yet, newest first, with what a queued one waits for; with --all\n" +
			"or --state ended ones, too, as long as the server remembers them. They are those of\n" +
			"the caller's namespace; an admin sees those of all.",
		Example: "  prewarm ps\n" +
			"  prewarm ps --all --image node-jobs --state failed --state interrupted\n" +
			"  prewarm ps --all --key etl/scheduled__2026-11-22/import/-1 -o json\n" +
			"  prewarm ps --namespace etl",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, state := range f.States {
				if err := oneOf("state", state, runStates...); err != nil {
					return misused(cmd, err.Error())
				}
			}
			if limit < 1 {
				return misused(cmd, fmt.Sprintf("--limit %d: want 1 or more", limit))
			}
			f.Active = !all && len(f.States) == 0
			runs, err := c.list(cmd.Context(), f, limit)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), runs)
			}
			printRuns(cmd.OutOrStdout(), runs, time.Now())
			return nil
		},
	})
	flags := cmd.Flags()
	flags.BoolVarP(&all, "all", "a", false, "ended runs, too")
	flags.StringVar(&f.Image, "image", "", "only runs of this `image`")
	flags.StringVar(&f.Host, "host", "", "only runs on the host of this `name`")
	flags.StringVar(&f.Key, "key", "", "only runs of this piece of work, by its `key`")
	flags.StringVar(&f.Scope, "scope", "", "only runs of this pin scope, by its `name`")
	flags.StringVar(&f.Namespace, "namespace", "", "only runs of the namespace of this `name`; another than the caller's own is for admins")
	flags.StringSliceVar(&f.States, "state", nil, "only runs in this `state`; may be repeated")
	flags.IntVar(&limit, "limit", limit, "show at most this `number` of runs")
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(runStates, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("image", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return c.completeImage(cmd, nil, word)
	})
	return cmd
}

// maxPage is how many runs are asked for at once.
const maxPage = 200

// list gives the newest runs that a filter chooses, over as many pages as it
// takes.
func (c *cli) list(ctx context.Context, f api.RunFilter, limit int) (api.Runs, error) {
	found := api.Runs{Runs: []api.Run{}} // none is a list, too, to programs
	for len(found.Runs) < limit {
		f.Limit = min(limit-len(found.Runs), maxPage)
		page, err := c.client().RunsBy(ctx, f)
		if err != nil {
			return found, err
		}
		found.Runs, found.Next = append(found.Runs, page.Runs...), page.Next
		if page.Next == "" {
			break
		}
		f.Before = page.Next
	}
	return found, nil
}

func printRuns(w io.Writer, found api.Runs, now time.Time) {
	if len(found.Runs) == 0 {
		fmt.Fprintln(w, "no runs")
		return
	}
	columns := []string{"RUN", "STATE", "IMAGE", "DIGEST", "HOST", "SUBMITTED", "TOOK", "KEY", "NOTE"}
	mixed := manyNamespaces(found.Runs)
	if mixed {
		columns = append([]string{"NAMESPACE"}, columns...)
	}
	t := newTable(w, columns...)
	for _, r := range found.Runs {
		_, digest, _ := strings.Cut(r.Pin, "@")
		row := table.Row{
			r.ID, r.State, r.Image, known(shortDigest(digest)), known(r.Host), stamp(&r.SubmittedAt), took(r, now), known(plain(r.Key)), note(r),
		}
		if mixed {
			row = append(table.Row{r.Namespace}, row...)
		}
		t.AppendRow(row)
	}
	t.Render()
	if found.Next != "" {
		fmt.Fprintln(w, "there are more: see --limit")
	}
}

// manyNamespaces tells whether runs are of more than one, which admins see.
func manyNamespaces(runs []api.Run) bool {
	return slices.ContainsFunc(runs, func(r api.Run) bool { return r.Namespace != runs[0].Namespace })
}

// took is how long the run has been there, or was.
func took(r api.Run, now time.Time) string {
	end := now
	if r.EndedAt != nil {
		end = *r.EndedAt
	}
	return max(end.Sub(r.SubmittedAt), 0).Round(time.Second).String()
}

// note says what there is to say of a run beside its state.
func note(r api.Run) string {
	var words []string
	switch {
	case r.StopOwed:
		words = append(words, "its container may still run: prewarm release frees its key")
	case r.Unreachable != nil:
		words = append(words, "its host does not answer since "+stamp(r.Unreachable))
	}
	if r.Unattended != nil {
		words = append(words, "its caller is silent since "+stamp(r.Unattended))
	}
	if !r.Ended {
		words = append(words, r.Waiting)
	} else {
		words = append(words, cmp.Or(plain(r.Detail), r.Reason))
	}
	if r.Rejected {
		words = append(words, "rejected")
	}
	return strings.Join(dropEmpty(words), "; ")
}

func dropEmpty(words []string) []string {
	var kept []string
	for _, w := range words {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return kept
}
