package main

import (
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

func exit(code int) *int { return &code }

func TestOutcome(t *testing.T) {
	t.Parallel()
	at := time.Now()
	tests := map[string]struct {
		run  api.Run
		code int
		says string
	}{
		"succeeded":           {api.Run{State: "succeeded", ExitCode: exit(0)}, 0, ""},
		"failed":              {api.Run{State: "failed", ExitCode: exit(42)}, 42, ""},
		"failed, as it says":  {api.Run{State: "failed", ExitCode: exit(42), Reason: "exit_code", Detail: "exit code 42"}, 42, ""},
		"our codes, too":      {api.Run{State: "failed", ExitCode: exit(125)}, 125, ""},
		"out of memory":       {api.Run{State: "failed", ExitCode: exit(137), Reason: "out_of_memory", Detail: "killed: out of memory"}, 137, "killed: out of memory"},
		"no result":           {api.Run{State: "failed", ExitCode: exit(0), Reason: "result_missing", Detail: "no result"}, 1, "no result"},
		"refused":             {api.Run{State: "refused", Detail: "warm on none of its hosts"}, 125, "warm on none of its hosts"},
		"canceled early":      {api.Run{ID: "7", State: "canceled"}, 125, "run 7 was canceled before its container started"},
		"canceled":            {api.Run{ID: "7", State: "canceled", ExitCode: exit(143)}, 143, "run 7 was canceled"},
		"canceled, ended 0":   {api.Run{ID: "7", State: "canceled", ExitCode: exit(0)}, 123, "run 7 was canceled"},
		"canceled, unknown":   {api.Run{ID: "7", State: "canceled", StartedAt: &at}, 123, "run 7 was canceled"},
		"replaced":            {api.Run{ID: "7", State: "canceled", ExitCode: exit(143), Stop: "replaced", Detail: "by run 8"}, 143, "run 7 was canceled: by run 8"},
		"deadline":            {api.Run{ID: "7", State: "timed_out", ExitCode: exit(143), Detail: "after 2h"}, 124, "run 7 was ended by its deadline: after 2h"},
		"deadline in a queue": {api.Run{ID: "7", State: "timed_out"}, 124, "run 7 was ended by its deadline"},
		"interrupted":         {api.Run{ID: "7", State: "interrupted", Detail: "the engine went away"}, 123, "run 7 was interrupted: the engine went away"},
		"interrupted, 137":    {api.Run{ID: "7", State: "interrupted", ExitCode: exit(137), Detail: "it was restarted"}, 123, "run 7 was interrupted: it was restarted"},
		"lost":                {api.Run{ID: "7", State: "lost", Detail: "e1 does not answer"}, 123, "run 7 is lost, and may go on: e1 does not answer"},
		"not ended":           {api.Run{ID: "7", State: "running", ExitCode: exit(3)}, 123, "run 7 is running"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, says := codeAndReason(outcome(test.run))
			if code != test.code || says != test.says {
				t.Errorf("%d %q, want %d %q", code, says, test.code, test.says)
			}
		})
	}
}

func codeAndReason(err error) (int, string) {
	code, said := exitCode(err)
	if said == nil {
		return code, ""
	}
	return code, said.Error()
}
