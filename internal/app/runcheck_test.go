package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// A check and a submit are answered alike by the whole of the program, too.
func TestACheckSaysWhatASubmitWouldBeAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, load(t, gone+"images:\n  - {name: jobs, repository: registry.test/etl/jobs, track: {tag: v1}}\n"))
	for _, c := range []struct {
		ask  api.SubmitRun
		want api.RunCheck // but for its problems
		also []problem.Code
	}{
		{
			api.SubmitRun{Image: "registry.test/etl/jbos:v2"}, api.RunCheck{Hosts: []string{}, Warm: []string{}}, []problem.Code{problem.ImageNotManaged},
		},
		{
			api.SubmitRun{Image: "registry.test/etl/jobs:v1", Privileged: true, Network: "host"},
			api.RunCheck{Image: "jobs", Tag: "v1", Hosts: []string{"gone"}, Warm: []string{}},
			[]problem.Code{problem.NoCurrent, problem.NotAllowed, problem.NotAllowed},
		},
		{
			api.SubmitRun{Image: "jobs", Network: "none", Hosts: []string{"other"}, SecretEnv: []api.SecretEnv{{Name: "T", Value: "s3cret"}}},
			api.RunCheck{Image: "jobs", Tag: "v1", Hosts: []string{}, Warm: []string{}},
			[]problem.Code{problem.NoCurrent, problem.NotAllowed},
		},
	} {
		got, err := r.client.CheckRun(t.Context(), c.ask)
		if err != nil {
			t.Fatal(err)
		}
		var codes []problem.Code
		for _, p := range got.Problems {
			codes = append(codes, problem.Code(p.Code))
		}
		if diff := cmp.Diff(c.also, codes); diff != "" {
			t.Errorf("problems of %s (-want +got):\n%s", c.ask.Image, diff)
			continue
		}
		_, err = r.client.Submit(t.Context(), c.ask, "")
		refused := problem.From(err)
		if told := got.Problems[0]; told.Code != string(refused.Code) || told.Detail != refused.Message || told.Mend != refused.Mend {
			t.Errorf("told %+v, and refused by %+v", told, refused)
		}
		got.Problems = nil
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.ask.Image, diff)
		}
	}
	if runs, err := r.client.Runs(t.Context()); err != nil || len(runs.Runs) != 0 {
		t.Errorf("%+v %v", runs, err)
	}
}
