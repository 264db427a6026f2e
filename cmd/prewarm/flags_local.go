package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// resultPath is where Airflow's Kubernetes operator has its results.
const resultPath = "/airflow/xcom/return.json"

// localFlags are what this program does beside the submit.
type localFlags struct {
	dryRun      bool
	detach      bool
	printResult bool
	statusFile  string
	reconnect   time.Duration
}

// defaultReconnect outlives a restart of the server's machine.
const defaultReconnect = 10 * time.Minute

func (f *localFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.dryRun, "dry-run", false, "execute nothing: say what would become of the run, and end with 125 if it would be refused")
	flags.BoolVarP(&f.detach, "detach", "d", false, "print the run's id and end; see prewarm logs, wait, cancel")
	flags.BoolVar(&f.printResult, "print-result", false, "print the result as JSON, as the last line of stdout; --result is "+resultPath+" when left out")
	flags.StringVar(&f.statusFile, "status-file", "", "write at the end how it went as JSON to this `file`")
	flags.DurationVar(&f.reconnect, "reconnect", defaultReconnect, "how long to try when the server can't be reached, before giving up with 123; not at all when 0")
}

func (f *localFlags) apply(r *api.SubmitRun) error {
	switch {
	case f.reconnect < 0:
		return fmt.Errorf("--reconnect %s: it can't be negative", f.reconnect)
	case f.dryRun && f.statusFile != "":
		return errors.New("--dry-run executes nothing, and --status-file is about how it went: leave one of them out")
	case f.detach && (f.printResult || f.statusFile != ""):
		return errors.New("--detach does not see the run's end, which --print-result and --status-file are about: use prewarm wait and prewarm inspect")
	}
	if f.printResult {
		r.Result = cmp.Or(r.Result, resultPath)
	}
	return nil
}
