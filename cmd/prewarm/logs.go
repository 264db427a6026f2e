package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newLogs() *cobra.Command {
	var f logFlags
	cmd := c.remote(&cobra.Command{
		Use:   "logs RUN",
		Short: "Print the log of a run, under way or ended",
		Long: "Prints what the container wrote: its stdout on stdout, its stderr on stderr. The order of the lines\n" +
			"is exact within a stream. With -f it goes on until the run ends, and reads on by itself when the\n" +
			"connection breaks or the server is restarted: each line is printed once.\n\n" +
			"-o json prints each line with its number: --after takes it, and prints the rest.",
		Example: "  prewarm logs 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d\n" +
			"  prewarm logs -f --timestamps 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d\n" +
			"  prewarm logs --after 1200 -o json 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d",
		Args:              oneRun,
		ValidArgsFunction: c.completeRun(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.after < 0 || f.reconnect < 0 {
				return misused(cmd, "--after and --reconnect can't be negative")
			}
			return c.logs(cmd, args[0], f)
		},
	})
	flags := cmd.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on until the run ends")
	flags.Int64Var(&f.after, "after", 0, "only what comes behind the line of this `number`")
	flags.BoolVarP(&f.timestamps, "timestamps", "t", false, "print the time before each line")
	flags.DurationVar(&f.reconnect, "reconnect", defaultReconnect, "with -f: how long to try when the server can't be reached; not at all when 0")
	return cmd
}

type logFlags struct {
	follow, timestamps bool
	after              int64
	reconnect          time.Duration
}

func (c *cli) logs(cmd *cobra.Command, id string, f logFlags) error {
	ctx, stdout := cmd.Context(), cmd.OutOrStdout()
	p := &logPrinter{stdout: stdout, stderr: cmd.ErrOrStderr(), timestamps: f.timestamps}
	if f.follow {
		follower := follower{client: c.client(), id: id, after: f.after, print: p.line, patience: patience{limit: f.reconnect}}
		if c.json() {
			follower.raw = stdout
		}
		run, err := follower.toEnd(ctx)
		if err == nil && run.Log.Removed {
			_, err = c.client().CopyLogs(ctx, id, f.after, false, stdout) // it says so
		}
		return err
	}
	if c.json() {
		_, err := c.client().CopyLogs(ctx, id, f.after, false, stdout)
		return err
	}
	return c.client().Logs(ctx, id, f.after, false, p.line)
}

// logPrinter writes each line to where the container wrote it. What the server
// says of the log goes to stderr, in its place.
type logPrinter struct {
	stdout, stderr io.Writer
	timestamps     bool
}

// stampLayout has always the same width.
const stampLayout = "2006-01-02T15:04:05.000000000Z07:00"

func (p *logPrinter) line(l api.LogLine) error {
	w, text := p.stdout, l.Text
	switch l.Stream {
	case streamServer:
		w, text = p.stderr, "prewarm: "+text
	case streamStderr:
		w = p.stderr
	}
	if p.timestamps {
		text = l.Time.UTC().Format(stampLayout) + " " + text
	}
	if !l.Open {
		text += "\n"
	}
	_, err := io.WriteString(w, text)
	return written(err)
}

// oneRun wants one argument, the run.
func oneRun(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return misused(cmd, "name the run by its id: "+cmd.CommandPath()+" RUN; prewarm ps --all lists them")
	default:
		return misused(cmd, fmt.Sprintf("%s takes one run, and got %q too", cmd.CommandPath(), args[1]))
	}
}

// someRuns wants at least one argument.
func someRuns(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return oneRun(cmd, args)
}

// completeRun completes arguments with the server's newest runs, only those
// under way where active is set.
func (c *cli) completeRun(active bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !active {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		all, err := c.client().RunsBy(ctx, api.RunFilter{Active: active})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, run := range all.Runs {
			ids = append(ids, cobra.CompletionWithDesc(run.ID, cmp.Or(run.Key, run.Image)+", "+run.State))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
