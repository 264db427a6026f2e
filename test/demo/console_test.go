package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestACommandIsShownAsTypedBeforeWhatItPrints(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := &console{out: &out, plain: true}
	ctx := t.Context()
	printed, err := c.runAndRead(ctx, exec.CommandContext(ctx, "echo", "one"), "prewarm", "status")
	if err != nil {
		t.Fatal(err)
	}
	if printed != "one\n" || out.String() != "$ prewarm status\none\n" {
		t.Errorf("printed %q, shown %q", printed, out.String())
	}
}

func TestAFailedCommandIsNamed(t *testing.T) {
	t.Parallel()
	c := &console{out: &strings.Builder{}, plain: true}
	err := c.run(t.Context(), exec.CommandContext(t.Context(), "false"), "prewarm", "warm", "node-jobs")
	if err == nil || !strings.Contains(err.Error(), "prewarm warm node-jobs: exit status 1") {
		t.Errorf("the failure is told as: %v", err)
	}
}

// The signal may have been for the demo alone: the command must not go on.
func TestAnInterruptedCommandEnds(t *testing.T) {
	t.Parallel()
	c := &console{out: &strings.Builder{}, plain: true}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	begin := time.Now()
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	if err := c.run(ctx, exec.CommandContext(ctx, "sleep", "60"), "sleep"); !errors.Is(err, why) {
		t.Errorf("it ended with %v, want the context's cause", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

func TestTitlesCountTheSteps(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := &console{out: &out, plain: true}
	c.title("first")
	c.title("second")
	if out.String() != "\n1. first\n\n2. second\n" {
		t.Errorf("shown: %q", out.String())
	}
}
