package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// outcome is the exit code of an ended run, with the reason where there is more
// to say than the container did.
func outcome(run api.Run) error {
	coded := &codeError{code: exitUnknown}
	if run.ExitCode != nil && *run.ExitCode != 0 {
		coded.code = *run.ExitCode
	}
	switch run.State {
	case "succeeded":
		return nil
	case "failed":
		if run.ExitCode != nil && *run.ExitCode == 0 { // the program did well, what was wanted of it failed
			coded.code = exitFailed
		}
		if run.Detail != "" && run.Reason != string(problem.ExitCode) { // the code says that itself
			coded.err = errors.New(run.Detail)
		}
	case "refused":
		coded.code, coded.err = exitNothingRan, errors.New(cmp.Or(run.Detail, run.Reason, "the run was refused"))
	case "canceled":
		coded.err = canceledText(run)
		if run.ExitCode == nil && run.StartedAt == nil {
			coded.code, coded.err = exitNothingRan, fmt.Errorf("run %s was canceled before its container started", run.ID)
		}
	case "timed_out":
		coded.code, coded.err = exitDeadline, fmt.Errorf("run %s was ended by its deadline%s", run.ID, because(run.Detail))
	case "interrupted": // an exit code, if there is one, proves nothing
		coded.code, coded.err = exitUnknown, fmt.Errorf("run %s was interrupted%s", run.ID, because(run.Detail))
	case "lost":
		coded.code, coded.err = exitUnknown, fmt.Errorf("run %s is lost, and may go on%s", run.ID, because(run.Detail))
	default:
		coded.code, coded.err = exitUnknown, fmt.Errorf("run %s is %s", run.ID, run.State)
	}
	return coded
}

// canceledText says why a run was stopped, where it was not just asked for.
func canceledText(run api.Run) error {
	if run.Stop == "" || run.Stop == "cancel" {
		return fmt.Errorf("run %s was canceled", run.ID)
	}
	return fmt.Errorf("run %s was canceled%s", run.ID, because(cmp.Or(run.Detail, run.Stop)))
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}
