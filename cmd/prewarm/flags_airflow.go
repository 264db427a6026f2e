package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// airflowContext begins the names of the variables that Airflow sets for a
// task.
const airflowContext = "AIRFLOW_CTX_"

// airflowFlags make the terms of a run from the task that it is executed for.
type airflowFlags struct {
	caller   *caller
	terms    *termFlags
	on       bool
	noEnv    bool
	mapIndex string
}

func (f *airflowFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.on, "airflow", false, "take key, pin scope, try and meta from the Airflow task that this is executed for")
	flags.StringVar(&f.mapIndex, "map-index", "", "`number` of the mapped task, with --airflow: '{{ ti.map_index }}'; also by AIRFLOW_CTX_MAP_INDEX")
	flags.BoolVar(&f.noEnv, "no-airflow-env", false, "with --airflow: keep the variables AIRFLOW_CTX_... from the container")
}

func (f *airflowFlags) apply(r *api.SubmitRun) error {
	if !f.on {
		return f.without(r)
	}
	task, err := f.task()
	if err != nil {
		return err
	}
	r.Key = task.key(f.terms.key)
	try, tried := f.tryNumber()
	r.Epoch = epochOf(task.epoch, try, tried)
	if r.PinScope == "" {
		r.PinScope = task.dag + "/" + task.run
	}
	if r.Join = f.terms.join; r.Join == "" {
		if r.Join, err = f.join(r.Epoch, try, tried); err != nil {
			return err
		}
	}
	if err := f.tries(r); err != nil {
		return err
	}
	f.describe(r, task)
	return f.passOn(r)
}

// without refuses what makes sense with --airflow, or with a key, alone.
func (f *airflowFlags) without(r *api.SubmitRun) error {
	switch {
	case f.mapIndex != "" || f.noEnv:
		return errors.New("--map-index and --no-airflow-env belong to --airflow: give that, too")
	case r.Epoch < 0:
		return fmt.Errorf("--epoch %d: it can't be negative", r.Epoch)
	case r.Key == "" && (r.Join != "" || r.OnConflict != ""):
		return errors.New("--epoch, --join and --on-conflict are about a piece of work: name it with --key")
	}
	return nil
}

// airflowTask is the task that a run is executed for.
type airflowTask struct {
	dag, run, task string
	mapIndex       int64 // -1: it is not mapped
	epoch          int64
}

// key names the task's work. A name given with --key tells several runs of one
// task apart.
func (t airflowTask) key(name string) string {
	key := fmt.Sprintf("%s/%s/%s/%d", t.dag, t.run, t.task, t.mapIndex)
	if name != "" {
		key += "/" + name
	}
	return key
}

// task reads the variables. Nothing but the map index tells fifty mapped tasks
// apart, and nothing but the epoch a clear from a retry, so both have to be
// there: a guess would execute work twice, or not at all.
func (f *airflowFlags) task() (t airflowTask, err error) {
	for _, v := range []struct {
		name string
		to   *string
	}{{"DAG_ID", &t.dag}, {"DAG_RUN_ID", &t.run}, {"TASK_ID", &t.task}} {
		if *v.to, _ = f.caller.lookup(airflowContext + v.name); *v.to == "" {
			return t, fmt.Errorf("--airflow: the variable %s%s is not set: this is for a command that an Airflow task executes, "+
				"such as a BashOperator's (with append_env=True where it has an env of its own)", airflowContext, v.name)
		}
	}
	mapIndex, epoch := f.given(f.mapIndex, "MAP_INDEX"), f.given(f.terms.epoch, "EPOCH")
	if mapIndex == "" || epoch == "" {
		return t, errors.New("--airflow: the task's map index and epoch are needed, and Airflow does not tell them by itself: " +
			"write in the bash_command --map-index '{{ ti.map_index }}' --epoch '{{ ti.max_tries - task.retries }}', " +
			"or set AIRFLOW_CTX_MAP_INDEX and AIRFLOW_CTX_EPOCH for every DAG in airflow_local_settings")
	}
	if t.mapIndex, err = integer("map-index", mapIndex); err != nil {
		return t, err
	}
	t.epoch, err = integer("epoch", epoch)
	return t, err
}

// given is a flag's value, or that of its variable.
func (f *airflowFlags) given(value, variable string) string {
	if value == "" {
		value, _ = f.caller.lookup(airflowContext + variable)
	}
	return value
}

// tryNumber is which try at the task this is, from 1 on; false: nobody knows.
func (f *airflowFlags) tryNumber() (int64, bool) {
	word, _ := f.caller.lookup(airflowContext + "TRY_NUMBER")
	try, err := strconv.ParseInt(word, 10, 64)
	return max(try, 1), err == nil
}

// epochOf is the epoch that was given, unless it can be none. A clear at try n
// makes n the epoch (Airflow sets max_tries to n + retries), so one that is not
// below the try comes of no clear: the DAG has fewer retries than it had when the
// task was made. From the try above it on nothing tells the two apart, and it is
// taken for a clear. One below 0 comes of a DAG that has more.
func epochOf(given, try int64, tried bool) int64 {
	if given < 0 || tried && given >= try {
		return 0
	}
	return given
}

// join says what may answer the submit. The first try of an epoch is the one
// after the clear that made it. An ended run under its key then belongs to a DAG
// run that was deleted and made again: it is not taken. A later try takes the
// success of an earlier one, whose end its worker did not live to see.
func (f *airflowFlags) join(epoch, try int64, tried bool) (string, error) {
	switch {
	case !tried:
		word, _ := f.caller.lookup(airflowContext + "TRY_NUMBER")
		return "", fmt.Errorf("--airflow: the variable %sTRY_NUMBER is %q, so nobody knows whether this is a retry: "+
			"write --join success on a retry, --join active otherwise", airflowContext, word)
	case try == epoch+1: // in epoch 0 that is try 1
		return "active", nil
	default:
		return "success", nil
	}
}

// tries says which try of how many this is, as far as Airflow tells. A task that
// was cleared, or whose retries were changed, may be tried more often than that.
func (f *airflowFlags) tries(r *api.SubmitRun) (err error) {
	if word, _ := f.caller.lookup(airflowContext + "TRY_NUMBER"); r.Try == 0 {
		r.Try, _ = strconv.Atoi(word) // without one --join was given, and the try is not known
	}
	if r.Tries, err = ordinal("tries", f.given(f.terms.tries, "TRIES")); err != nil {
		return err
	}
	if r.Try <= 0 {
		r.Try, r.Tries = 0, 0
	} else if r.Tries > 0 {
		r.Tries = max(r.Tries, r.Try)
	}
	return nil
}

// describe tells people of the task. What --meta says goes first.
func (f *airflowFlags) describe(r *api.SubmitRun, t airflowTask) {
	try, _ := f.caller.lookup(airflowContext + "TRY_NUMBER")
	owner, _ := f.caller.lookup(airflowContext + "DAG_OWNER")
	said := map[string]string{"dag": t.dag, "run": t.run, "task": t.task, "try": try, "owner": owner}
	if t.mapIndex >= 0 {
		said["map_index"] = strconv.FormatInt(t.mapIndex, 10)
	}
	if r.Meta == nil {
		r.Meta = make(map[string]string, len(said))
	}
	for name, value := range said {
		if _, own := r.Meta[name]; !own && value != "" {
			r.Meta[name] = value
		}
	}
}

// passOn gives the container Airflow's variables, below those of --env.
func (f *airflowFlags) passOn(r *api.SubmitRun) error {
	if f.noEnv {
		return nil
	}
	var context []string
	for _, v := range f.caller.all() {
		name, _, _ := strings.Cut(v, "=")
		own := slices.ContainsFunc(r.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if !strings.HasPrefix(name, airflowContext) || own {
			continue
		}
		if !utf8.ValidString(v) {
			return fmt.Errorf("--airflow: the value of %s is not UTF-8", name)
		}
		context = append(context, v)
	}
	r.Env = append(context, r.Env...)
	return nil
}
