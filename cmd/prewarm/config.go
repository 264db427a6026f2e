package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
)

func (c *cli) newConfig() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check or show the configuration, without a server", Args: usage(cobra.NoArgs)}
	cmd.AddCommand(c.newConfigCheck(), c.newConfigShow())
	return cmd
}

func (c *cli) newConfigCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell every mistake in the configuration",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), map[string]any{"file": path, "ok": true, "hosts": len(loaded.Hosts), "images": len(loaded.Images)})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %d hosts, %d images\n", path, len(loaded.Hosts), len(loaded.Images))
			return nil
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func (c *cli) newConfigShow() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force: defaults and environment included, secrets as ***",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			text, err := loaded.Redacted()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	configFlag(cmd, &path)
	return cmd
}
