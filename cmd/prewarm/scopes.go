package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newScopes() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "scopes",
		Short: "List pin scopes: the digests that belong together",
		Long: "Lists the pin scopes, the last used first: how many images they froze, whether their digests are\n" +
			"held still, and the host of their volume. A scope begins with the first prewarm run --pin-scope.",
		Example: "  prewarm scopes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.client().Scopes(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), all)
			}
			printScopes(cmd.OutOrStdout(), all.Scopes)
			return nil
		},
	})
}

func printScopes(w io.Writer, all []api.Scope) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no pin scopes")
		return
	}
	t := newTable(w, "SCOPE", "STATE", "IMAGES", "CREATED", "USED", "HOST")
	for _, s := range all {
		t.AppendRow(table.Row{plain(s.Name), scopeState(s), len(s.Pins), stamp(&s.Created), stamp(&s.Used), known(s.Host)})
	}
	t.Render()
}

func scopeState(s api.Scope) string {
	if s.Live {
		return "live"
	}
	return "ended"
}

func (c *cli) newScope() *cobra.Command {
	return group(&cobra.Command{
		Use:   "scope",
		Short: "Show, end, or move a pin scope",
	}, c.newScopeShow(), c.newScopeEnd(), c.newScopeRepin())
}

func (c *cli) newScopeShow() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:               "show SCOPE",
		Short:             "Show a pin scope's digests and its volume",
		Example:           "  prewarm scope show etl/scheduled__2026-11-22",
		Args:              oneScope,
		ValidArgsFunction: c.completeScope,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.client().Scope(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.printScope(cmd.OutOrStdout(), s)
		},
	})
}

func (c *cli) newScopeEnd() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "end SCOPE",
		Short: "End a pin scope: hold its digests no longer, and remove its volume",
		Long: "For a caller that knows that no task of it will come any more; else a scope ends a day after its\n" +
			"last use. The volume goes once no run of the scope is under way: a task that comes after that finds\n" +
			"an empty one. Its digests stay recorded: a task that is started again later gets the same, or is\n" +
			"refused where they are gone.",
		Example:           "  prewarm scope end etl/scheduled__2026-11-22",
		Args:              oneScope,
		ValidArgsFunction: c.completeScope,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.client().EndScope(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), s)
			}
			text := fmt.Sprintf("pin scope %s has ended", s.Name)
			if s.Volume != "" {
				text += "; its " + volumeText(s)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	})
}

func (c *cli) newScopeRepin() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "repin SCOPE IMAGE",
		Short: "Move an image of a pin scope to its current digest",
		Long: "Tasks of the scope that start from now on get the digest that is current outside of it: for a fix\n" +
			"that a DAG run under way needs.",
		Example: "  prewarm scope repin etl/scheduled__2026-11-22 node-jobs",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misused(cmd, "name the scope and the image: "+cmd.CommandPath()+" SCOPE IMAGE")
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return c.completeTrack(cmd, nil, word)
			}
			return c.completeScope(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			moved, err := c.client().Repin(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), moved)
			}
			text := fmt.Sprintf("in pin scope %s, %s is %s now; it was %s", moved.Scope.Name, args[1], moved.New, moved.Old)
			if moved.Old == moved.New {
				text = fmt.Sprintf("in pin scope %s, %s is %s already", moved.Scope.Name, args[1], moved.New)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	})
}

func (c *cli) printScope(w io.Writer, s api.Scope) error {
	if c.json() {
		return printJSON(w, s)
	}
	fmt.Fprintf(w, "%s: %s, created %s, used %s", plain(s.Name), scopeState(s), stamp(&s.Created), stamp(&s.Used))
	if s.Ended != nil {
		fmt.Fprintf(w, ", ended %s", stamp(s.Ended))
	}
	fmt.Fprintln(w)
	if s.Volume != "" {
		fmt.Fprintln(w, volumeText(s))
	}
	fmt.Fprintln(w)
	t := newTable(w, "IMAGE", "PIN", "SINCE")
	for _, p := range s.Pins {
		t.AppendRow(table.Row{p.Image, p.Pin, stamp(&p.Since)})
	}
	t.Render()
	return nil
}

// volumeText says where the volume of a scope is, and what becomes of it.
func volumeText(s api.Scope) string {
	text := fmt.Sprintf("volume %s on %s", s.Volume, s.Host)
	switch {
	case s.Live:
		return text
	case s.Kept:
		return text + " is kept, since a run failed that asked for that; docker volume rm there removes it"
	default:
		return text + " is removed, unless a run failed that asked to keep it; prewarm scope show tells"
	}
}

// oneScope wants one argument, the scope.
func oneScope(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return misused(cmd, "name the pin scope: "+cmd.CommandPath()+" SCOPE; prewarm scopes lists them")
	default:
		return misused(cmd, fmt.Sprintf("%s takes one pin scope, and got %q too", cmd.CommandPath(), args[1]))
	}
}

// completeScope completes the first argument with the server's pin scopes.
func (c *cli) completeScope(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	all, err := c.client().Scopes(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := make([]string, len(all.Scopes))
	for i, s := range all.Scopes {
		names[i] = s.Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
