package prewarmtest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// Failpoints are the flags of Build for a program that can be told to die at a
// named point of its code: see DieAt.
func Failpoints() []string { return []string{"-tags", "failpoints"} }

// DieAt is the environment of a server that kills itself when it passes a point
// (package internal/failpoint): "name", or "name:3" for the third time. The
// program has to be built with Failpoints.
func DieAt(point string) string { return "PREWARM_FAILPOINT=" + point }

// AwaitDeath waits until the server was killed, by its failpoint or by
// somebody. One that ends in any other way is an error, with the end of its log.
func (s *Server) AwaitDeath(ctx context.Context) error {
	select {
	case <-s.exited:
	case <-ctx.Done():
		return fmt.Errorf("prewarm serve is not dead: %w", ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(s.err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	const most = 4 << 10
	log := s.tail.Bytes()
	return fmt.Errorf("prewarm serve ended by itself (%v); its log ends with:\n%s", s.cmd.ProcessState, log[max(0, len(log)-most):])
}
