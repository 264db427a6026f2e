package main

import (
	"errors"
	"testing"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func exit(code int) *int { return &code }

func TestOutcome(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run  api.Run
		code int
		says string
	}{
		"succeeded":         {api.Run{State: "succeeded", ExitCode: exit(0)}, 0, ""},
		"failed":            {api.Run{State: "failed", ExitCode: exit(42)}, 42, ""},
		"out of memory":     {api.Run{State: "failed", ExitCode: exit(137), Detail: "killed: out of memory"}, 137, "killed: out of memory"},
		"refused":           {api.Run{State: "refused", Detail: "warm on none of its hosts"}, 125, "warm on none of its hosts"},
		"canceled early":    {api.Run{ID: "7", State: "canceled"}, 125, "run 7 was canceled before its container started"},
		"canceled":          {api.Run{ID: "7", State: "canceled", ExitCode: exit(143)}, 143, "run 7 was canceled"},
		"canceled, ended 0": {api.Run{ID: "7", State: "canceled", ExitCode: exit(0)}, 123, "run 7 was canceled"},
		"interrupted":       {api.Run{ID: "7", State: "interrupted", Detail: "the engine went away"}, 123, "run 7 was interrupted: the engine went away"},
		"interrupted, 137":  {api.Run{ID: "7", State: "interrupted", ExitCode: exit(137), Detail: "it was restarted"}, 123, "run 7 was interrupted: it was restarted"},
		"not ended":         {api.Run{ID: "7", State: "running"}, 123, "the log of run 7 ended while it is running: is the server stopping?"},
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
	var coded *codeError
	switch {
	case err == nil:
		return 0, ""
	case !errors.As(err, &coded):
		return exitFailed, err.Error()
	case coded.err == nil:
		return coded.code, ""
	default:
		return coded.code, coded.err.Error()
	}
}

// 125 promises that nothing was executed: a submit that may have arrived can't
// have it.
func TestSubmitted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		code int
	}{
		{nil, 0},
		{problem.New(problem.ServerUnreachable, "nothing listens", ""), 125},
		{problem.New(problem.ImageNotWarm, "warm nowhere", ""), 125},
		{problem.New(problem.ServerLost, "it broke", ""), 123},
	}
	for _, test := range tests {
		_, err := ending{err: test.err}.submitted()
		if code, _ := codeAndReason(err); code != test.code {
			t.Errorf("%v: code %d, want %d", test.err, code, test.code)
		}
	}
}
