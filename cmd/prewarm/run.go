package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const (
	verbRun  = "run"
	verbWait = "wait"
)

// The exit codes of run that are not the container's. A signal adds 128 and its
// number, as in a shell.
const (
	exitNothingRan = 125 // nothing was executed: safe to try again
	exitDeadline   = 124 // the run's deadline passed
	exitUnknown    = 123 // it may have run: interrupted, lost, or the server was lost
	exitOrphan     = 129 // whoever started us is gone, as after a hangup: 128 and SIGHUP
	exitPipe       = 141 // whoever read the output went away: 128 and SIGPIPE
)

func (c *cli) newRun() *cobra.Command {
	var f runFlags
	cmd := c.remote(&cobra.Command{
		Use:   verbRun + " IMAGE [flags] [-- COMMAND [ARG...]]",
		Short: "Run a task on the image's current digest, where it is warm",
		Long: "Runs a command in a new container on a host where the image's current digest is warm, prints\n" +
			"its stdout and stderr as they come, and exits with its exit code. It never pulls. The flags about\n" +
			"the container are those of docker run; the server's policy decides what is allowed.\n\n" +
			"With --key a piece of work has one container: a second submit of it joins the run under way. A\n" +
			"connection that breaks, or a restart of the server, is a pause: each line is printed once.\n\n" +
			"Exit codes of its own: 125 when nothing was executed (safe to try again), 124 when the deadline\n" +
			"passed, 123 when it may have run but its outcome is not known; the reason is on stderr. With\n" +
			"--status-file it is in a file as well, where no code of the program can be mistaken for it; a 125\n" +
			"without that file is one of a command line that was not understood.\n\n" +
			"With --dry-run nothing is executed, and no registry asked: it says which image and digest would run,\n" +
			"which hosts could take it, where it is warm, and all that it would be refused for; then 125.\n\n" +
			"SIGTERM cancels the run and ends the program within a second, with 143. SIGINT (Ctrl-C) cancels\n" +
			"it and prints on until its end, then 130; a second one ends the program at once. A run whose\n" +
			"output nobody reads any more (prewarm run ... | head) is canceled as well, with 141. When the\n" +
			"program that started it dies, prewarm run ends with 129 and cancels nothing; under nohup it stays.\n\n" +
			"In an Airflow task --airflow makes the key <dag>/<run>/<task>/<map index>, with /NAME where --key\n" +
			"NAME tells several runs of one task apart, and the pin scope <dag>/<run>. A retry then joins what\n" +
			"its predecessor left running, or takes its success; a clear starts anew.",
		Example: "  prewarm run node-jobs -- node dist/import.js --day 2026-11-22\n" +
			"  prewarm run node-jobs -e DAY=2026-11-22 --secret-env TOKEN --memory 2g -- node dist/import.js\n" +
			"  prewarm run node-jobs --key import/2026-11-22 --deadline 2h --print-result -- node dist/import.js\n" +
			"  prewarm run node-jobs --airflow --map-index 3 --epoch 0 -- node dist/import.js\n" +
			"  prewarm run node-jobs --privileged --dry-run -- node dist/import.js\n" +
			"  prewarm run node-jobs --wait-warm 10m -d -- node dist/import.js\n" +
			"  prewarm run registry.example.com/etl/node-jobs:latest -v /srv/data:/data:ro --entrypoint sh -- -c 'ls /data | wc -l'",
		Args:              runArgs,
		ValidArgsFunction: c.completeImage,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd, &f, args) },
	})
	f.register(cmd)
	for flag, words := range map[string][]string{
		"network": {"bridge", "none"}, "ipc": {"none", "private", "shareable", "host"}, "pid": {"host"},
		"join": {"active", "success"}, "on-conflict": {"refuse", "join", "replace"}, "keepalive-action": {"report", "stop"},
		"scratch": {"volume", "tmpfs"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.RegisterFlagCompletionFunc("host", c.completeHost)
	return cmd
}

// runArgs wants the command behind two dashes: flags may follow the image, so a
// flag of the command would else be taken for one of ours.
func runArgs(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return misused(cmd, "name the image to run: "+cmd.CommandPath()+" IMAGE -- COMMAND")
	case dash > 1 || dash < 0 && len(args) > 1:
		return misused(cmd, fmt.Sprintf("write two dashes before the command: %s %s -- %s", cmd.CommandPath(), args[0], args[1]))
	}
	return nil
}

// run submits a run and stays with it until its end, or a signal.
func (c *cli) run(cmd *cobra.Command, f *runFlags, args []string) error {
	file, err := newStatusFile(f.local.statusFile)
	if err != nil {
		return notExecuted(err)
	}
	s := &session{cli: c, cmd: cmd, local: f.local, airflow: f.airflow.on}
	if s.request, err = f.request(cmd.Flags(), args[0], args[1:]); err == nil && f.local.printResult && c.json() {
		err = errors.New("--print-result makes the last line the result, -o json makes it the run, which has the result: give one of them")
	}
	if err != nil {
		return file.close(s.seen, notExecuted(err))
	}
	if f.local.dryRun {
		return c.dryRun(cmd.Context(), cmd, s.request)
	}
	return file.close(s.seen, s.stay(cmd.Context()))
}

// notExecuted is the error of a run that the server never got.
func notExecuted(err error) error { return &codeError{code: exitNothingRan, err: err} }
