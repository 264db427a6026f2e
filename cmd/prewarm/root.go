package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// The exit codes of every verb but run, which has more of them.
const (
	exitFailed = 1 // what was asked for was tried, or refused, and is not so
	exitUsage  = 2 // the command line can't be understood
	// exitSignal and the number of a signal make the code of a program that it
	// ended.
	exitSignal = 128
)

// codeError ends the program with a code of its own, and says why if err does.
type codeError struct {
	code  int
	err   error
	usage bool // the command line could not be understood
	// hurry tells that nobody waits for err to be said: after a signal we are
	// killed soon.
	hurry bool
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// execute runs a command line and gives the exit code.
func execute(ctx context.Context, args []string) int {
	root, stdout := newRoot(), &standardOutput{file: os.Stdout}
	root.SetArgs(args)
	root.SetOut(stdout)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = unwritten(cmd, stdout.err())
	}
	if err == nil {
		return 0
	}
	var coded *codeError
	own := errors.As(err, &coded)
	code, said := exitCode(err)
	if said != nil {
		tell(said, own && coded.hurry)
	}
	if own && coded.usage {
		return usageCode(cmd)
	}
	return code
}

// unwritten is the error of a verb that did what it was asked and could not say
// it. From run and wait 1 would be taken for the container's, and that nothing
// ran is not for us to say.
func unwritten(cmd *cobra.Command, err error) error {
	if err != nil && (cmd.Name() == verbRun || cmd.Name() == verbWait) {
		return &codeError{code: exitUnknown, err: err}
	}
	return err
}

// tell prints an error. In a hurry it does not wait long for that: stderr may be
// the same stalled pipe as stdout.
func tell(err error, hurry bool) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		printError(os.Stderr, err)
	}()
	var patience <-chan time.Time
	if hurry {
		patience = time.After(quietWithin)
	}
	select {
	case <-told:
	case <-patience:
	}
}

// usageCode is the exit code of a verb whose command line can't be understood.
// From run and wait 2 would be taken for the container's.
func usageCode(cmd *cobra.Command) int {
	switch cmd.Name() {
	case verbRun:
		return exitNothingRan
	case verbWait:
		return exitUnknown // of a run that was submitted before
	default:
		return exitUsage
	}
}

// exitCode is what a verb's error ends the program with, and what there is to
// say about it: nil for nothing.
func exitCode(err error) (int, error) {
	var coded *codeError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &coded):
		return coded.code, coded.err
	default:
		return exitFailed, err
	}
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
	access accessFlags
	joined sync.Once // see connect
	found  *api.Client
	lost   error
}

// defaultServer is where prewarm serve listens when nothing is configured.
const defaultServer = "http://127.0.0.1:8470"

func newRoot() *cobra.Command {
	c := &cli{}
	root := group(&cobra.Command{
		Use:   "prewarm",
		Short: "Keep images warm on Docker hosts and run tasks on them",
		Long: "Prewarm watches registry tags, keeps their images warm on a fleet of Docker hosts,\n" +
			"and runs tasks only on warm, digest-pinned images, with their logs streaming.\n\n" +
			"Every verb ends with 0 when it did what it was asked, 1 when it could not, and 2 when\n" +
			"its command line can't be understood; run and wait have codes of their own.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       buildVersion(),
	}, c.newInit(), c.newServe(), c.newStatus(), c.newCheck(), c.newWarm(),
		c.newRun(), c.newPs(), c.newLogs(), c.newWait(), c.newInspect(), c.newCancel(), c.newReject(), c.newRelease(),
		c.newScopes(), c.newScope(), c.newDrain(), c.newUndrain(),
		c.newHold(), c.newUnhold(), c.newApprove(), c.newRollback(), c.newHistory(), c.newDiff(),
		c.newPrune(), c.newPrunes(), c.newExplain(), c.newImages(), c.newDf(),
		c.newWebhooks(), c.newWebhook(),
		c.newPause(), c.newResume(), c.newNotices(), c.newNotify(), c.newToken(), c.newAudit(), c.newBackup(), c.newRestore(),
		c.newDoctor(), c.newHost(), c.newConfig(), c.newHealth(), c.newVersion())
	c.access.declare(root.PersistentFlags(), &c.server)
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "`format`: table for people or json for programs")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.check(cmd) }
	root.SetFlagErrorFunc(flagError)
	arrange(root)
	return root
}

// check refuses what the flags that all verbs share can't mean.
func (c *cli) check(cmd *cobra.Command) error {
	if c.output != "table" && c.output != "json" {
		return misused(cmd, fmt.Sprintf("--output %q: want table or json", c.output))
	}
	return nil
}

func (c *cli) json() bool { return c.output == "json" }

// printJSON writes a value for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSONLine writes a value on one line, for streams.
func printJSONLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
