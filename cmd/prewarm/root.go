package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// version is set by the linker for a release.
var version = ""

// buildVersion is the release, or what the build knows of its commit.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// codeError ends the program with a code of its own, and says why if err does.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// execute runs a command line and gives the exit code: 0, 1 for what failed, 2
// for a command line that can't be understood; run has codes of its own.
func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var coded *codeError
	if !errors.As(err, &coded) {
		coded = &codeError{code: 1, err: err}
	}
	if coded.err != nil {
		printError(os.Stderr, coded.err)
	}
	return coded.code
}

// printError tells an error and, on a line of its own, what to do about it.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "prewarm: %s\n", err)
	var p *problem.Error
	if errors.As(err, &p) && p.Mend != "" {
		fmt.Fprintf(w, "prewarm: %s\n", p.Mend)
	}
}

// cli is what the verbs share.
type cli struct {
	server string
	output string
}

func newRoot() *cobra.Command {
	c := &cli{}
	root := &cobra.Command{
		Use:   "prewarm",
		Short: "Keep images warm on Docker hosts and run tasks on them",
		Long: "Prewarm watches registry tags, keeps their images warm on a fleet of Docker hosts,\n" +
			"and runs tasks only on warm, digest-pinned images, with their logs streaming.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildVersion(),
	}
	root.PersistentFlags().StringVar(&c.server, "server", cmp.Or(os.Getenv("PREWARM_URL"), "http://127.0.0.1:8470"), "address of the server, also by PREWARM_URL")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "table for people or json for programs")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return c.check() }
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codeError{code: 2, err: err} })
	root.AddCommand(c.newServe(), c.newStatus(), c.newCheck(), c.newWarm(), c.newRun(), c.newConfig())
	return root
}

func (c *cli) check() error {
	if c.output != "table" && c.output != "json" {
		return &codeError{code: 2, err: fmt.Errorf("--output %q: want table or json", c.output)}
	}
	return nil
}

func (c *cli) json() bool { return c.output == "json" }

func (c *cli) client() *api.Client { return &api.Client{URL: c.server} }

// printJSON writes a value for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSONLine writes a value on one line, for streams.
func printJSONLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// imageArg takes one argument, an image, and completes it from the server.
func (c *cli) imageArg(cmd *cobra.Command) *cobra.Command {
	cmd.Args = usage(cobra.ExactArgs(1))
	cmd.ValidArgsFunction = c.completeImage
	return cmd
}

// usage gives the code 2 to arguments that can't be understood.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &codeError{code: 2, err: fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}

func (c *cli) completeImage(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := c.client().Images(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, image := range all.Images {
		names = append(names, image.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
