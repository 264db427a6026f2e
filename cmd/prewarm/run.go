package main

import (
	"fmt"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

const verbRun = "run"

// The exit codes of run that are not the container's. A signal adds 128 and its
// number, as in a shell.
const (
	exitNothingRan = 125 // nothing was executed: safe to try again
	exitUnknown    = 123 // it may have run: interrupted, or the server was lost
	exitPipe       = 141 // whoever read the output went away: 128 and SIGPIPE
)

type runFlags struct {
	env, envFiles          []string
	network, user, workdir string
	entrypoint             []string
	memory                 string
	cpus                   float64
	waitWarm               time.Duration
}

func (c *cli) newRun() *cobra.Command {
	var f runFlags
	cmd := c.remote(&cobra.Command{
		Use:   verbRun + " IMAGE [flags] [-- COMMAND [ARG...]]",
		Short: "Run a task on the image's current digest, where it is warm",
		Long: "Runs a command in a new container on a host where the image's current digest is warm, prints\n" +
			"its stdout and stderr as they come, and exits with its exit code. It never pulls.\n\n" +
			"Exit codes of its own: 125 when nothing was executed (safe to try again), 123 when it may have\n" +
			"run but its outcome is not known; the reason is on stderr.\n\n" +
			"SIGTERM cancels the run and ends the program within a second, with 143. SIGINT (Ctrl-C) cancels\n" +
			"it and prints on until its end, then 130; a second one ends the program at once. A run whose\n" +
			"output nobody reads any more (prewarm run ... | head) is canceled as well, with 141.",
		Example: "  prewarm run node-jobs -- node dist/import.js --day 2026-11-22\n" +
			"  prewarm run node-jobs -e DAY=2026-11-22 -e TOKEN --memory 2g -- node dist/import.js\n" +
			"  prewarm run node-jobs --wait-warm 10m -- node dist/import.js\n" +
			"  prewarm run registry.example.com/etl/node-jobs:latest --entrypoint sh -- -c 'ls /srv | wc -l'",
		Args:              runArgs,
		ValidArgsFunction: c.completeImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := f.request(args[0], args[1:])
			if err != nil {
				return &codeError{code: exitNothingRan, err: err}
			}
			return c.run(cmd, request)
		},
	})
	f.register(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.env, "env", "e", nil, "`NAME=value`, or NAME to pass on the caller's; may be repeated")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "`file` with a variable on each line, # before comments; may be repeated")
	flags.StringVar(&f.network, "network", "", "bridge, none, or the `name` of a network on the hosts")
	flags.StringVarP(&f.user, "user", "u", "", "`name` or uid, with :group or :gid")
	flags.StringVarP(&f.workdir, "workdir", "w", "", "working `directory` in the container")
	flags.Func("entrypoint", "`program` in place of the image's entrypoint; empty: none", func(s string) error {
		f.entrypoint = []string{s} // the engine, too, reads one empty word as none
		return nil
	})
	flags.StringVarP(&f.memory, "memory", "m", "", "memory `limit`, such as 512m or 1g")
	flags.Float64Var(&f.cpus, "cpus", 0, "limit of CPUs, such as 1.5")
	flags.DurationVar(&f.waitWarm, "wait-warm", 0, "how long to wait for the image to be warm; refused at once when 0")
	_ = cmd.RegisterFlagCompletionFunc("network", cobra.FixedCompletions([]string{"bridge", "none"}, cobra.ShellCompDirectiveNoFileComp))
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

func (f runFlags) request(image string, command []string) (api.SubmitRun, error) {
	r := api.SubmitRun{
		Image: image, Command: command, Entrypoint: f.entrypoint, Network: f.network, User: f.user, Workdir: f.workdir,
		CPUs: f.cpus, WaitWarm: api.Duration(f.waitWarm),
	}
	if f.memory != "" {
		bytes, err := units.RAMInBytes(f.memory)
		if err != nil || bytes < 0 {
			return r, fmt.Errorf("--memory %q: write it as 512m or 1g", f.memory)
		}
		r.Memory = bytes
	}
	if !(f.cpus >= 0) { // NaN, too, which JSON can't carry
		return r, fmt.Errorf("--cpus %v: write it as 1.5", f.cpus)
	}
	if f.waitWarm < 0 {
		return r, fmt.Errorf("--wait-warm %s: it can't be negative", f.waitWarm)
	}
	var err error
	if r.Env, err = readEnv(f.envFiles, f.env, os.LookupEnv); err != nil {
		return r, err
	}
	return r, checkText(r)
}

// checkText refuses what is not UTF-8: JSON would carry other bytes than those
// that were given, and the program would run with them.
func checkText(r api.SubmitRun) error {
	for i, arg := range slices.Concat(r.Entrypoint, r.Command) {
		if !utf8.ValidString(arg) {
			return fmt.Errorf("word %d of the command is not UTF-8: %q", i+1, arg)
		}
	}
	return nil
}
