package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
)

// airflowEnv is what Airflow sets for the second try of a task.
var airflowEnv = []string{
	"AIRFLOW_CTX_DAG_ID=etl", "AIRFLOW_CTX_DAG_RUN_ID=scheduled__2026-11-22T00:00:00+00:00", "AIRFLOW_CTX_TASK_ID=load.import",
	"AIRFLOW_CTX_TRY_NUMBER=2", "AIRFLOW_CTX_DAG_OWNER=data",
}

var airflowArgs = []string{"--airflow", "--map-index", "-1", "--epoch", "0"}

// withEnv is the environment with other values: NAME= takes one away.
func withEnv(env []string, other ...string) []string {
	env = slices.Clone(env)
	for _, v := range other {
		name, value, _ := strings.Cut(v, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if value != "" {
			env = append(env, v)
		}
	}
	return env
}

// What the submit says of the task that it is for.
func TestAirflow(t *testing.T) {
	t.Parallel()
	got, err := requestOf(airflowEnv, append(airflowArgs, "-e", "DAY=22", "--meta", "owner=ada")...)
	if err != nil {
		t.Fatal(err)
	}
	run := "scheduled__2026-11-22T00:00:00+00:00"
	want := api.SubmitRun{
		Image: "jobs", Key: "etl/" + run + "/load.import/-1", PinScope: "etl/" + run, Join: "success",
		Env:  append(slices.Clone(airflowEnv), "DAY=22"),
		Try:  2,
		Meta: map[string]string{"dag": "etl", "run": run, "task": "load.import", "try": "2", "owner": "ada"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAirflowTerms(t *testing.T) {
	t.Parallel()
	key := "etl/scheduled__2026-11-22T00:00:00+00:00/load.import/"
	tests := map[string]struct {
		env  []string
		args []string
		key  string
		want api.SubmitRun // epoch and join
	}{
		"first try":               {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=1"), airflowArgs, key + "-1", api.SubmitRun{Join: "active"}},
		"retry":                   {airflowEnv, airflowArgs, key + "-1", api.SubmitRun{Join: "success"}},
		"cleared after try 1":     {airflowEnv, []string{"--airflow", "--map-index=-1", "--epoch=1"}, key + "-1", api.SubmitRun{Epoch: 1, Join: "active"}},
		"its retry":               {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=3"), []string{"--airflow", "--map-index=-1", "--epoch=1"}, key + "-1", api.SubmitRun{Epoch: 1, Join: "success"}},
		"mapped":                  {airflowEnv, []string{"--airflow", "--map-index", "7", "--epoch", "0"}, key + "7", api.SubmitRun{Join: "success"}},
		"by variables":            {withEnv(airflowEnv, "AIRFLOW_CTX_MAP_INDEX=7", "AIRFLOW_CTX_EPOCH=1"), []string{"--airflow"}, key + "7", api.SubmitRun{Epoch: 1, Join: "active"}},
		"flags over variables":    {withEnv(airflowEnv, "AIRFLOW_CTX_MAP_INDEX=7", "AIRFLOW_CTX_EPOCH=1"), airflowArgs, key + "-1", api.SubmitRun{Join: "success"}},
		"more retries than then":  {airflowEnv, []string{"--airflow", "--map-index=-1", "--epoch=-3"}, key + "-1", api.SubmitRun{Join: "success"}},
		"fewer retries than then": {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=1"), []string{"--airflow", "--map-index=-1", "--epoch=3"}, key + "-1", api.SubmitRun{Join: "active"}},
		"then a retry":            {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=3"), []string{"--airflow", "--map-index=-1", "--epoch=3"}, key + "-1", api.SubmitRun{Join: "success"}},
		"then a clear":            {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=4"), []string{"--airflow", "--map-index=-1", "--epoch=3"}, key + "-1", api.SubmitRun{Epoch: 3, Join: "active"}},
		"by variable, too":        {withEnv(airflowEnv, "AIRFLOW_CTX_MAP_INDEX=7", "AIRFLOW_CTX_EPOCH=2"), []string{"--airflow"}, key + "7", api.SubmitRun{Join: "success"}},
		"before the first try":    {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER=0"), airflowArgs, key + "-1", api.SubmitRun{Join: "active"}},
		"an epoch without a try":  {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER="), []string{"--airflow", "--map-index=-1", "--epoch=3", "--join=success"}, key + "-1", api.SubmitRun{Epoch: 3, Join: "success"}},
		"a run of several":        {airflowEnv, append(airflowArgs, "--key", "second"), key + "-1/second", api.SubmitRun{Join: "success"}},
		"the caller decides":      {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER="), append(airflowArgs, "--join", "active"), key + "-1", api.SubmitRun{Join: "active"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := requestOf(test.env, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got.Key != test.key || got.Epoch != test.want.Epoch || got.Join != test.want.Join {
				t.Errorf("key %s, epoch %d, join %s; want %s, %d, %s", got.Key, got.Epoch, got.Join, test.key, test.want.Epoch, test.want.Join)
			}
		})
	}
}

// Which try of how many a run is decides whether its failure needs somebody.
func TestAirflowTries(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env        []string
		args       []string
		try, tries int
	}{
		"by template":             {airflowEnv, append(airflowArgs, "--tries", "3"), 2, 3},
		"by variable":             {withEnv(airflowEnv, "AIRFLOW_CTX_TRIES=4"), airflowArgs, 2, 4},
		"more than it had before": {airflowEnv, append(airflowArgs, "--tries", "1"), 2, 2},
		"the caller says":         {airflowEnv, append(airflowArgs, "--try", "1", "--tries", "3"), 1, 3},
		"nobody knows":            {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER="), append(airflowArgs, "--join", "active", "--tries", "3"), 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := requestOf(test.env, slices.Clone(test.args)...)
			if err != nil || got.Try != test.try || got.Tries != test.tries {
				t.Errorf("try %d of %d (%v), want %d of %d", got.Try, got.Tries, err, test.try, test.tries)
			}
		})
	}
}

func TestAirflowRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  []string
		args []string
		says string
	}{
		"no map index":     {airflowEnv, []string{"--airflow", "--epoch", "0"}, "--map-index '{{ ti.map_index }}' --epoch '{{ ti.max_tries - task.retries }}'"},
		"no epoch":         {airflowEnv, []string{"--airflow", "--map-index", "3"}, "or set AIRFLOW_CTX_MAP_INDEX and AIRFLOW_CTX_EPOCH for every DAG in airflow_local_settings"},
		"not rendered":     {airflowEnv, []string{"--airflow", "--map-index", "{{ ti.map_index }}", "--epoch", "0"}, `--map-index "{{ ti.map_index }}": want a whole number; a template of Airflow`},
		"no task":          {nil, airflowArgs, "the variable AIRFLOW_CTX_DAG_ID is not set"},
		"no try":           {withEnv(airflowEnv, "AIRFLOW_CTX_TRY_NUMBER="), airflowArgs, "write --join success on a retry, --join active otherwise"},
		"without airflow":  {airflowEnv, []string{"--map-index", "3"}, "belong to --airflow"},
		"no-env alone":     {airflowEnv, []string{"--no-airflow-env"}, "belong to --airflow"},
		"not UTF-8":        {withEnv(airflowEnv, "AIRFLOW_CTX_DAG_EMAIL=caf\xe9"), airflowArgs, "the value of AIRFLOW_CTX_DAG_EMAIL is not UTF-8"},
		"no try at all":    {airflowEnv, append(airflowArgs, "--tries", "0"), "--tries 0: it counts from 1"},
		"epoch of no work": {nil, []string{"--epoch", "3"}, "name it with --key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := requestOf(test.env, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %s", err, test.says)
			}
		})
	}
}

// The container gets Airflow's variables unless that is not wanted.
func TestNoAirflowEnv(t *testing.T) {
	t.Parallel()
	got, err := requestOf(airflowEnv, append(airflowArgs, "--no-airflow-env")...)
	if err != nil || got.Env != nil {
		t.Errorf("%q, %v", got.Env, err)
	}
	got, err = requestOf(airflowEnv, append(airflowArgs, "-e", "AIRFLOW_CTX_DAG_ID=mine")...)
	if err != nil || !slices.Contains(got.Env, "AIRFLOW_CTX_DAG_ID=mine") || slices.Contains(got.Env, "AIRFLOW_CTX_DAG_ID=etl") {
		t.Errorf("%q, %v", got.Env, err)
	}
}
