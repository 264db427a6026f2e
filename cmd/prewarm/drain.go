package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newDrain() *cobra.Command {
	return c.drainVerb(&cobra.Command{
		Use:   "drain HOST",
		Short: "Place no new run on a host; those under way go on",
		Long: "Takes a host out of placement until prewarm undrain: for a maintenance. It is kept warm meanwhile,\n" +
			"and does not count for promotions. Runs that have to go there, for files of their pin scope, wait.\n" +
			"prewarm ps --host shows when the last run has left.",
		Example: "  prewarm drain etl-1\n" +
			"  prewarm ps --host etl-1",
	}, (*api.Client).Drain, func(h api.Host) string {
		return fmt.Sprintf("host %s is drained: %s under way there; prewarm undrain %s ends that", h.Name, count(h.Running, "run"), h.Name)
	})
}

func (c *cli) newUndrain() *cobra.Command {
	return c.drainVerb(&cobra.Command{
		Use:     "undrain HOST",
		Short:   "Take a host back into placement",
		Long:    "Ends a prewarm drain.",
		Example: "  prewarm undrain etl-1",
	}, (*api.Client).Undrain, func(h api.Host) string { return fmt.Sprintf("host %s takes runs again", h.Name) })
}

// drainVerb makes one of the two.
func (c *cli) drainVerb(cmd *cobra.Command, do func(*api.Client, context.Context, string, string) (api.Host, error), said func(api.Host) string) *cobra.Command {
	cmd.Args = oneHost
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.completeHost(cmd, args, word)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		host, err := do(c.client(), cmd.Context(), args[0], who())
		if err != nil {
			return err
		}
		if c.json() {
			return printJSON(cmd.OutOrStdout(), host)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), said(host))
		return err
	}
	return c.remote(cmd)
}

// oneHost wants one argument, the host.
func oneHost(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return misused(cmd, "name the host: "+cmd.CommandPath()+" HOST; prewarm status lists them")
	default:
		return misused(cmd, fmt.Sprintf("%s takes one host, and got %q too", cmd.CommandPath(), args[1]))
	}
}
