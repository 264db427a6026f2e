package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// processFlags are what the container executes, and as whom.
type processFlags struct {
	user, workdir, hostname string
	entrypoint              string
	noEntrypoint            bool // --entrypoint "": the image's is not used
	groups, labels          []string
	tty, init               bool
	stopSignal              string
	stopTimeout             int // seconds, as docker run has it
	platform                string
}

func (f *processFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.user, "user", "u", "", "`name` or uid, with :group or :gid")
	flags.StringArrayVar(&f.groups, "group-add", nil, "one more `group` of the user, by name or gid; may be repeated")
	flags.StringVarP(&f.workdir, "workdir", "w", "", "working `directory` in the container")
	flags.VarP(newWord(&f.entrypoint, &f.noEntrypoint), "entrypoint", "", "`program` in place of the image's entrypoint; empty: none")
	flags.StringVarP(&f.hostname, "hostname", "h", "", "`name` that the container has for itself")
	flags.BoolVarP(&f.tty, "tty", "t", false, "give the program a terminal: stdout and stderr are one then")
	flags.BoolVar(&f.init, "init", false, "let the engine's own init be process 1: it forwards signals and reaps")
	flags.StringArrayVarP(&f.labels, "label", "l", nil, "`name=value` on the container, or name alone; may be repeated")
	flags.StringVar(&f.stopSignal, "stop-signal", "", "`signal` that asks the program to end, such as SIGINT")
	flags.IntVar(&f.stopTimeout, "stop-timeout", 0, "`seconds` between that signal and the kill; the server's when 0")
	flags.StringVar(&f.platform, "platform", "", "refuse hosts of another `platform`, such as linux/amd64")
}

func (f *processFlags) apply(r *api.SubmitRun) (err error) {
	r.User, r.Groups, r.Hostname, r.TTY, r.Init = f.user, f.groups, f.hostname, f.tty, f.init
	r.StopSignal, r.Platform = f.stopSignal, f.platform
	if f.entrypoint != "" || f.noEntrypoint {
		r.Entrypoint = []string{f.entrypoint} // the engine, too, reads one empty word as none
	}
	if f.workdir != "" {
		if err := absolute("workdir", f.workdir, f.workdir); err != nil {
			return err
		}
		r.Workdir = f.workdir
	}
	if f.stopTimeout < 0 {
		return fmt.Errorf("--stop-timeout %d: it can't be negative: a run that is told to end has to end", f.stopTimeout)
	}
	r.StopGrace = api.Duration(time.Duration(f.stopTimeout) * time.Second)
	r.Labels, err = pairs("label", f.labels, true)
	return err
}

// word is a flag whose empty value says something, too.
type word struct {
	value *string
	empty *bool
}

func newWord(value *string, empty *bool) word { return word{value, empty} }

func (w word) Set(s string) error {
	*w.value, *w.empty = s, s == ""
	return nil
}

func (w word) String() string {
	if w.value == nil { // pflag asks a zero value for its default
		return ""
	}
	return *w.value
}

func (word) Type() string { return "string" }
