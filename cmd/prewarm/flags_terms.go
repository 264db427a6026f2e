package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// termFlags are what the caller wants of the run beside its execution.
type termFlags struct {
	key, epoch, join, onConflict  string
	scope                         string
	fresh                         bool
	waitWarm, deadline, keepalive time.Duration
	keepaliveAction               string
	priority                      int
	hosts, hostLabels             []string
	group                         string
	groupLimit                    int
	meta                          []string
	try, tries                    string
	skipCodes                     []int
	logCap                        string
}

func (f *termFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.key, "key", "", "`name` of this piece of work: one container for it at a time, which a second submit joins")
	flags.StringVar(&f.epoch, "epoch", "", "`number` that is raised to ask for the key's work anew; with it --join is success")
	flags.StringVar(&f.join, "join", "", "`which` earlier run of the key answers this one: active, or success for one that succeeded as well")
	flags.StringVar(&f.onConflict, "on-conflict", "", "`what` to do when the key's active run is another piece of work: refuse, join or replace")
	flags.StringVar(&f.scope, "pin-scope", "", "`name` within which each image keeps the digest that it had first")
	flags.BoolVar(&f.fresh, "fresh", false, "run what the tag shows at the registry now, promoted or not; waits for it with --wait-warm")
	flags.DurationVar(&f.waitWarm, "wait-warm", 0, "how long to wait for the image to be warm; refused at once when 0")
	flags.DurationVar(&f.deadline, "deadline", 0, "how long the run may take, queueing and warming included; for ever when 0")
	flags.DurationVar(&f.keepalive, "keepalive", 0, "how long this program may be gone before the server acts; for ever when 0")
	flags.StringVar(&f.keepaliveAction, "keepalive-action", "", "`what` the server does then: report or stop")
	flags.IntVar(&f.priority, "priority", 0, "`number`: queued runs with a higher one are placed first")
	flags.StringSliceVar(&f.hosts, "host", nil, "only on the host of this `name`; may be repeated")
	flags.StringArrayVar(&f.hostLabels, "host-label", nil, "only on hosts with this label, `name=value`; may be repeated")
	flags.StringVar(&f.group, "concurrency-group", "", "`name` of runs of which only some may be under way at a time")
	flags.IntVar(&f.groupLimit, "concurrency-limit", 0, "at most this `number` of the group; 1 when left out")
	flags.StringArrayVar(&f.meta, "meta", nil, "`name=value` that people should know of the run: owner, customer, link; may be repeated")
	flags.StringVar(&f.try, "try", "", "`number` of this try at the task: while tries are left, a failure is told as one that is tried again")
	flags.StringVar(&f.tries, "tries", "", "`number` of tries that the task has; with --airflow '{{ ti.max_tries + 1 }}', also by AIRFLOW_CTX_TRIES")
	flags.IntSliceVar(&f.skipCodes, "skip-exit-code", nil, "exit `code` with which the program says that there was nothing to do; may be repeated")
	flags.StringVar(&f.logCap, "log-cap", "", "`size` that bounds the run's log, such as 100m, below the server's")
}

func (f *termFlags) apply(r *api.SubmitRun) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	r.Key, r.Join, r.OnConflict, r.PinScope, r.Fresh = f.key, f.join, f.onConflict, f.scope, f.fresh
	r.WaitWarm, r.Deadline, r.Keepalive = api.Duration(f.waitWarm), api.Duration(f.deadline), api.Duration(f.keepalive)
	r.KeepaliveAction, r.Priority, r.Hosts = f.keepaliveAction, f.priority, f.hosts
	r.ConcurrencyGroup, r.ConcurrencyLimit = f.group, f.groupLimit
	if f.epoch != "" {
		if r.Epoch, err = integer("epoch", f.epoch); err != nil {
			return err
		}
		if f.join == "" { // who counts epochs wants work that is done not to be done again
			r.Join = "success"
		}
	}
	if r.HostLabels, err = pairs("host-label", f.hostLabels, false); err != nil {
		return err
	}
	if r.Meta, err = pairs("meta", f.meta, false); err != nil {
		return err
	}
	r.SkipExitCodes = f.skipCodes
	for _, number := range []struct {
		flag, value string
		to          *int
	}{{"try", f.try, &r.Try}, {"tries", f.tries, &r.Tries}} {
		if *number.to, err = ordinal(number.flag, number.value); err != nil {
			return err
		}
	}
	r.LogCap, err = readSize("log-cap", f.logCap)
	return err
}

// check refuses what says nothing, or contradicts itself.
func (f *termFlags) check() error {
	for _, limit := range []struct {
		flag string
		is   time.Duration
	}{{"wait-warm", f.waitWarm}, {"deadline", f.deadline}, {"keepalive", f.keepalive}} {
		if limit.is < 0 {
			return fmt.Errorf("--%s %s: it can't be negative", limit.flag, limit.is)
		}
	}
	switch {
	case f.keepaliveAction != "" && f.keepalive == 0:
		return errors.New("--keepalive-action says what to do after --keepalive: give that, too, as --keepalive 10m")
	case f.groupLimit < 0:
		return fmt.Errorf("--concurrency-limit %d: it can't be negative", f.groupLimit)
	case f.groupLimit > 0 && f.group == "":
		return errors.New("--concurrency-limit bounds a group: name it with --concurrency-group")
	}
	return errors.Join(oneOf("join", f.join, "active", "success"), oneOf("on-conflict", f.onConflict, "refuse", "join", "replace"),
		oneOf("keepalive-action", f.keepaliveAction, "report", "stop"))
}

// ordinal reads a number that counts from 1; 0: it was not given.
func ordinal(flag, value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	n, err := integer(flag, value)
	if err == nil && (n < 1 || n > math.MaxInt32) {
		err = fmt.Errorf("--%s %s: it counts from 1", flag, value)
	}
	return int(n), err
}

// integer reads a whole number. Braces in it are a template of Airflow's that
// nobody rendered.
func integer(flag, value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("--%s %q: want a whole number; a template of Airflow is rendered in templated fields only, such as bash_command", flag, value)
	}
	return n, nil
}
