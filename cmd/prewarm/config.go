package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
)

func (c *cli) newConfig() *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "Check or show the configuration, without a server"},
		c.newConfigCheck(), c.newConfigShow(), c.newConfigSchema())
}

func (c *cli) newConfigCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell every mistake in the configuration",
		Long: "Reads the configuration as serve would, environment and secret files included, and tells every\n" +
			"mistake with its file, field, value and mend. No host and no registry is asked.",
		Example: "  prewarm config check --config prewarm.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, os.Environ())
			if c.json() {
				return printVerdict(cmd.OutOrStdout(), path, loaded, err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s\n", path, contents(loaded))
			return err
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// contents counts what a configuration has: hosts and images always, and what is
// not for everybody where there is some.
func contents(c *config.Config) string {
	words := []string{count(len(c.Hosts), "host"), count(len(c.Images), "image")}
	for _, more := range []struct {
		n     int
		thing string
	}{{len(c.Auth.Tokens), "token"}, {len(c.Webhooks), "webhook"}, {len(c.Notify), "route"}} {
		if more.n > 0 {
			words = append(words, count(more.n, more.thing))
		}
	}
	return strings.Join(words, ", ")
}

// verdict is what config check says to programs.
type verdict struct {
	File     string          `json:"file"`
	OK       bool            `json:"ok"`
	Hosts    int             `json:"hosts"`
	Images   int             `json:"images"`
	Tokens   int             `json:"tokens"`
	Webhooks int             `json:"webhooks"`
	Routes   int             `json:"routes"`
	Mistakes config.Mistakes `json:"mistakes"`
}

func printVerdict(w io.Writer, path string, loaded *config.Config, err error) error {
	v := verdict{File: path, OK: err == nil, Mistakes: config.Mistakes{}}
	switch {
	case err == nil:
		v.Hosts, v.Images = len(loaded.Hosts), len(loaded.Images)
		v.Tokens, v.Webhooks, v.Routes = len(loaded.Auth.Tokens), len(loaded.Webhooks), len(loaded.Notify)
	case !errors.As(err, &v.Mistakes):
		return err
	}
	if printed := printJSON(w, v); printed != nil || v.OK {
		return printed
	}
	return &codeError{code: exitFailed} // the reasons are printed
}

// count writes a number of things: 1 host, 2 hosts.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func (c *cli) newConfigShow() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force",
		Long: "Prints the configuration that serve would work with: defaults and environment included, secrets\n" +
			"as ***. It is YAML that can be loaded again, or JSON with the same keys.",
		Example: "  prewarm config show\n" +
			"  prewarm config show -o json | jq .images",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), loaded)
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

func (c *cli) newConfigSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Long: "Prints a JSON Schema of the configuration that this version understands. Editors complete and check\n" +
			"a file by it; config check knows more than a schema can.",
		Example: "  prewarm config schema",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}
