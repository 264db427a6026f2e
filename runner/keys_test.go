package runner

import (
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	work, other := Spec{Image: "jobs", Command: []string{"a"}}, Spec{Image: "jobs", Command: []string{"b"}}
	run := func(id string, state State, epoch int64, spec Spec, change ...func(*Run)) Run {
		r := Run{ID: id, State: state, Asked: spec, Terms: Terms{Key: "k", Epoch: epoch}}
		for _, c := range change {
			c(&r)
		}
		return r
	}
	stopping := func(r *Run) { r.Stop.Why = StopCancel }
	owed := func(r *Run) { r.Owed = true }
	rejected := func(r *Run) { r.Rejected = true }
	anew := func(r *Run) { r.Terms.Join = JoinActive }
	foundDone := func(r *Run) { r.Exited = true }
	tests := map[string]struct {
		runs     []Run // newest first
		epoch    int64
		join     Join
		conflict OnConflict
		spec     Spec

		wantJoin, wantAfter, wantStop string
		wantEpoch                     int64
		wantCode                      problem.Code
	}{
		"first":                             {},
		"an active run is joined":           {runs: []Run{run("1", Running, 0, work)}, wantJoin: "1", wantAfter: "1"},
		"a queued one, too":                 {runs: []Run{run("1", Queued, 0, work)}, wantJoin: "1", wantAfter: "1"},
		"an ended one is not":               {runs: []Run{run("1", Succeeded, 0, work)}},
		"with success it is":                {runs: []Run{run("1", Succeeded, 0, work)}, join: JoinSuccess, wantJoin: "1"},
		"not once it was rejected":          {runs: []Run{run("1", Succeeded, 0, work, rejected)}, join: JoinSuccess},
		"a failure is followed":             {runs: []Run{run("1", Failed, 0, work)}, join: JoinSuccess},
		"an older success counts":           {runs: []Run{run("2", Canceled, 0, work), run("1", Succeeded, 0, work)}, join: JoinSuccess, wantJoin: "1"},
		"not from before a new beginning":   {runs: []Run{run("2", Failed, 0, work, anew), run("1", Succeeded, 0, work)}, join: JoinSuccess},
		"the new beginning's counts":        {runs: []Run{run("3", Failed, 0, work), run("2", Succeeded, 0, work, anew), run("1", Failed, 0, work)}, join: JoinSuccess, wantJoin: "2"},
		"what is canceled is waited for":    {runs: []Run{run("1", Canceling, 0, work, stopping)}, wantAfter: "1"},
		"its follower is joined":            {runs: []Run{run("2", Queued, 0, work), run("1", Canceling, 0, work, stopping)}, wantJoin: "2", wantAfter: "2"},
		"a lost one holds the key":          {runs: []Run{run("1", Lost, 0, work, owed)}, join: JoinSuccess, wantAfter: "1"},
		"a lost one that is paid does not":  {runs: []Run{run("1", Lost, 0, work)}, join: JoinSuccess},
		"a lost one that was found done":    {runs: []Run{run("1", Lost, 0, work, foundDone)}, join: JoinSuccess, wantJoin: "1"},
		"a higher epoch stops":              {runs: []Run{run("1", Running, 0, work)}, epoch: 1, wantAfter: "1", wantStop: "1", wantEpoch: 1},
		"a higher epoch ignores success":    {runs: []Run{run("1", Succeeded, 0, work)}, epoch: 1, join: JoinSuccess, wantEpoch: 1},
		"a lower epoch is the current":      {runs: []Run{run("1", Running, 3, work)}, epoch: 1, wantJoin: "1", wantAfter: "1", wantEpoch: 3},
		"another spec is a conflict":        {runs: []Run{run("1", Running, 0, work)}, spec: other, wantCode: problem.KeyConflict},
		"or is joined":                      {runs: []Run{run("1", Running, 0, work)}, spec: other, conflict: ConflictJoin, wantJoin: "1", wantAfter: "1"},
		"or takes the place":                {runs: []Run{run("1", Running, 0, work)}, spec: other, conflict: ConflictReplace, wantAfter: "1", wantStop: "1"},
		"a success of another spec":         {runs: []Run{run("1", Succeeded, 0, work)}, spec: other, join: JoinSuccess, wantCode: problem.KeyConflict},
		"replaced by a new run":             {runs: []Run{run("1", Succeeded, 0, work)}, spec: other, join: JoinSuccess, conflict: ConflictReplace},
		"another spec in a higher epoch":    {runs: []Run{run("1", Running, 0, work)}, spec: other, epoch: 1, wantAfter: "1", wantStop: "1", wantEpoch: 1},
		"nor is its work done again":        {runs: []Run{run("2", Canceling, 0, work, stopping), run("1", Succeeded, 0, work)}, join: JoinSuccess, wantJoin: "1", wantAfter: "2"},
		"what is canceled may differ":       {runs: []Run{run("1", Canceling, 0, work, stopping)}, spec: other, wantAfter: "1"},
		"an epoch stops what is queued too": {runs: []Run{run("2", Queued, 0, work), run("1", Canceling, 0, work, stopping)}, epoch: 1, wantAfter: "2", wantStop: "2", wantEpoch: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ask := Ask{Spec: work, OnConflict: test.conflict, Terms: Terms{Key: "k", Epoch: test.epoch, Join: test.join}}
			if test.spec.Image != "" {
				ask.Spec = test.spec
			}
			v, err := decide(test.runs, ask.complete())
			if code := problem.CodeOf(err); code != test.wantCode {
				t.Fatalf("error %v, want code %q", err, test.wantCode)
			}
			if err != nil {
				return
			}
			join := ""
			if v.join != nil {
				join = v.join.ID
			}
			var stop []string
			for _, r := range v.stop {
				stop = append(stop, r.ID)
			}
			if join != test.wantJoin || v.after != test.wantAfter || strings.Join(stop, ",") != test.wantStop || v.epoch != test.wantEpoch {
				t.Errorf("join %q, after %q, stop %q, epoch %d; want %q, %q, %q, %d",
					join, v.after, stop, v.epoch, test.wantJoin, test.wantAfter, test.wantStop, test.wantEpoch)
			}
		})
	}
}

func TestDifferencesNameFieldsOnly(t *testing.T) {
	t.Parallel()
	a := Spec{Image: "jobs", Env: []string{"TOKEN=one", "A=1", "AIRFLOW_CTX_TRY_NUMBER=1"}, Labels: map[string]string{"x": "y"}, LogCap: 1, StopGrace: 1, Memory: 1}
	same := Spec{Image: "jobs", Env: []string{"A=1", "AIRFLOW_CTX_TRY_NUMBER=2", "TOKEN=one"}, Memory: 1, Command: []string{}}
	if got := differences(a, same); len(got) != 0 {
		t.Errorf("the order of variables, labels and the try are no difference: %v", got)
	}
	other := Spec{Image: "jobs", Env: []string{"TOKEN=two", "A=1"}, Memory: 2}
	if got := strings.Join(differences(a, other), ","); got != "env,memory" {
		t.Errorf("got %s", got)
	}
}
