package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// The exit codes of run that are not the container's.
const (
	exitNothingRan = 125 // nothing was executed: safe to try again
	exitUnknown    = 123 // it may have run: interrupted, or the server was lost
)

type runFlags struct {
	env, envFiles                 []string
	network, user, workdir, entry string
	memory                        string
	cpus                          float64
	waitWarm                      time.Duration
}

func (c *cli) newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run IMAGE [flags] [-- COMMAND [ARG...]]",
		Short: "Run a task on the image's current digest, where it is warm",
		Long: "Runs a command in a new container on a host where the image's current digest is warm, prints\n" +
			"its stdout and stderr as they come, and exits with its exit code. It never pulls.\n\n" +
			"Exit codes of its own: 125 nothing was executed (safe to try again), 123 it may have run but\n" +
			"its outcome is not known. SIGINT and SIGTERM cancel the run.",
		Example:           "  prewarm run node-jobs -- node dist/import.js --day 2026-11-22",
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.run(cmd, f, args[0], args[1:])
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.env, "env", "e", nil, "NAME=value, or NAME to pass on the caller's")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "file of NAME=value lines")
	flags.StringVar(&f.network, "network", "", "bridge, none, or the name of a network on the hosts")
	flags.StringVarP(&f.user, "user", "u", "", "name or uid, with :group or :gid")
	flags.StringVarP(&f.workdir, "workdir", "w", "", "working directory in the container")
	flags.StringVar(&f.entry, "entrypoint", "", "replaces the image's entrypoint")
	flags.StringVarP(&f.memory, "memory", "m", "", "memory limit, such as 1g")
	flags.Float64Var(&f.cpus, "cpus", 0, "limit of CPUs, such as 1.5")
	flags.DurationVar(&f.waitWarm, "wait-warm", 0, "how long to wait for the image to be warm; refused at once when 0")
	return cmd
}

// runArgs wants the command behind two dashes: flags may follow the image, so a
// flag of the command would else be taken for one of ours.
func runArgs(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return errors.New("name the image to run")
	case dash > 1 || dash < 0 && len(args) > 1:
		return fmt.Errorf("write two dashes before the command: %s %s -- %s", cmd.CommandPath(), args[0], args[1])
	}
	return nil
}

func (f runFlags) request(image string, command []string) (api.SubmitRun, error) {
	r := api.SubmitRun{
		Image: image, Command: command, Network: f.network, User: f.user, Workdir: f.workdir,
		CPUs: f.cpus, WaitWarm: api.Duration(f.waitWarm),
	}
	if f.entry != "" {
		r.Entrypoint = []string{f.entry}
	}
	if f.memory != "" {
		bytes, err := units.RAMInBytes(f.memory)
		if err != nil {
			return r, fmt.Errorf("--memory %q: write it as 512m or 1g", f.memory)
		}
		r.Memory = bytes
	}
	var err error
	r.Env, err = readEnv(f.envFiles, f.env, os.LookupEnv)
	return r, err
}

func (c *cli) run(cmd *cobra.Command, f runFlags, image string, command []string) error {
	request, err := f.request(image, command)
	if err != nil {
		return &codeError{code: exitNothingRan, err: err}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	submitted, err := c.client().Submit(cmd.Context(), request)
	if err != nil {
		return &codeError{code: submitCode(err), err: err}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.follow(cmd, submitted.ID) }()
	select {
	case err := <-ended:
		return err
	case s := <-signals:
		return c.cancel(cmd.Context(), submitted.ID, s, signals, ended)
	}
}

// submitCode tells whether a failed submit may have been accepted all the same:
// when the server answered, or was never reached, nothing was executed.
func submitCode(err error) int {
	if problem.CodeOf(err) == problem.ServerLost {
		return exitUnknown
	}
	return exitNothingRan
}

// follow prints the log of a run to its end and gives its outcome.
func (c *cli) follow(cmd *cobra.Command, id string) error {
	print := c.linePrinter(cmd.OutOrStdout(), cmd.ErrOrStderr())
	if err := c.client().Logs(cmd.Context(), id, 0, true, print); err != nil {
		return lost(id, err)
	}
	run, err := c.client().Run(cmd.Context(), id)
	if err != nil {
		return lost(id, err)
	}
	if c.json() {
		if err := printJSONLine(cmd.OutOrStdout(), map[string]any{"run": run}); err != nil {
			return lost(id, err)
		}
	}
	return outcome(run)
}

func lost(id string, err error) error {
	return &codeError{code: exitUnknown, err: fmt.Errorf("lost sight of run %s, which may go on: %w", id, err)}
}

// linePrinter writes each line to where the container wrote it, as it was.
func (c *cli) linePrinter(stdout, stderr io.Writer) func(api.LogLine) error {
	if c.json() {
		return func(l api.LogLine) error { return printJSONLine(stdout, l) }
	}
	return func(l api.LogLine) error {
		w := stdout
		if l.Stream == "stderr" {
			w = stderr
		}
		text := l.Text
		if !l.Open {
			text += "\n"
		}
		_, err := io.WriteString(w, text)
		return err
	}
}

// outcome is the exit code of an ended run, with the reason where there is more
// to say than the container did.
func outcome(run api.Run) error {
	switch {
	case run.State == "succeeded":
		return nil
	case run.ExitCode != nil && *run.ExitCode != 0:
		coded := &codeError{code: *run.ExitCode}
		if run.Detail != "" {
			coded.err = errors.New(run.Detail)
		}
		return coded
	case run.State == "refused":
		return &codeError{code: exitNothingRan, err: errors.New(run.Detail)}
	case run.State == "canceled" && run.ExitCode == nil:
		return &codeError{code: exitNothingRan, err: fmt.Errorf("run %s was canceled before its container started", run.ID)}
	case run.State == "canceled":
		return &codeError{code: exitUnknown, err: fmt.Errorf("run %s was canceled", run.ID)}
	case run.State == "interrupted":
		return &codeError{code: exitUnknown, err: fmt.Errorf("run %s was interrupted: %s", run.ID, run.Detail)}
	default:
		return &codeError{code: exitUnknown, err: fmt.Errorf("the log of run %s ended while it is %s: is the server stopping?", run.ID, run.State)}
	}
}

// cancelWithin bounds the cancel request: whoever sent the signal may kill us
// some seconds later.
const cancelWithin = 900 * time.Millisecond

// cancel asks the server to stop the run, over a connection of its own. On
// SIGTERM it does not wait for the end, which is the server's business then; on
// SIGINT a person watches, so it prints on until the end or a second signal.
func (c *cli) cancel(ctx context.Context, id string, s os.Signal, signals <-chan os.Signal, ended <-chan error) error {
	ctx, stop := context.WithTimeout(ctx, cancelWithin)
	defer stop()
	code := 128 + int(s.(syscall.Signal))
	if _, err := c.client().Cancel(ctx, id); err != nil {
		return &codeError{code: code, err: fmt.Errorf("run %s was not canceled and may go on: %w", id, err)}
	}
	if s == os.Interrupt {
		fmt.Fprintf(os.Stderr, "prewarm: canceling run %s; once more to stop watching\n", id)
		select {
		case <-signals:
		case <-ended:
		}
	}
	return &codeError{code: code}
}
