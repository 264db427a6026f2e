package main

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestAWrongCommandLineStartsNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--fast"}, {"three", "hosts"}} {
		if code := execute(args); code != 2 {
			t.Errorf("demo %q ended with %d, want 2", args, code)
		}
	}
	if code := execute([]string{"--help"}); code != 0 {
		t.Errorf("demo --help ended with %d", code)
	}
}

// Not parallel: the signals are for the whole process.
func TestTheFirstSignalEndsTheContextAndLaterOnesDoNothing(t *testing.T) {
	ctx, stop := interruptible(context.Background())
	defer stop()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(syscall.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the signal did not end the context")
		}
	}
	var got interrupted
	if !errors.As(context.Cause(ctx), &got) || got.signal != syscall.SIGINT {
		t.Errorf("the context ended because of %v", context.Cause(ctx))
	}
}
