// Package prewarmtest builds the prewarm program from this tree and runs it
// against a fleet as a user would: by its configuration file and its command
// line. The end-to-end tests, the demo and the benchmarks share it.
package prewarmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Build compiles the program into dir and gives its path. Flags go to go build.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	binary := filepath.Join(dir, "prewarm")
	args := append([]string{"build", "-trimpath", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/prewarm/prewarm/cmd/prewarm")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build prewarm: %w\n%s", err, out)
	}
	return binary, nil
}

// Server is a running prewarm serve.
type Server struct {
	Binary, ConfigFile, URL string

	cmd    *exec.Cmd
	tail   bytes.Buffer // what it logged; read it after exited only
	exited chan struct{}
	err    error
}

// Serve starts prewarm serve with a configuration file and waits until it is
// ready. What it logs goes to log; env is further environment, as NAME=VALUE, and
// further flags, as --name=value.
func Serve(ctx context.Context, binary, configFile, address string, log io.Writer, env ...string) (*Server, error) {
	s, err := Start(binary, configFile, address, log, env...)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(ctx); err != nil {
		killErr := s.Kill()
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, s.tail.String()), killErr)
	}
	return s, nil
}

// Start is Serve without the wait: for a server that is to die before it is
// ready.
func Start(binary, configFile, address string, log io.Writer, env ...string) (*Server, error) {
	s := &Server{Binary: binary, ConfigFile: configFile, URL: "http://" + address, exited: make(chan struct{})}
	args := []string{"serve", "--config", configFile}
	s.cmd = exec.Command(binary)
	s.cmd.Env = os.Environ()
	for _, e := range env {
		if strings.HasPrefix(e, "--") {
			args = append(args, e)
		} else {
			s.cmd.Env = append(s.cmd.Env, e)
		}
	}
	s.cmd.Args = append(s.cmd.Args, args...)
	s.cmd.Stderr = io.MultiWriter(log, &s.tail)
	// A signal for a terminal's whole group is for whoever started us.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start prewarm serve: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// Ready waits until the server serves.
func (s *Server) Ready(ctx context.Context) error {
	for {
		if resp, err := http.Get(s.URL + "/readyz"); err == nil {
			_ = resp.Body.Close() // nothing was written
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("prewarm serve ended: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("prewarm serve is not ready: %w", ctx.Err())
		case <-time.After(2 * time.Millisecond): // a benchmark tells how long it took
		}
	}
}

// Command is a command line of the program that speaks to this server.
func (s *Server) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	cmd.Env = append(os.Environ(), "PREWARM_URL="+s.URL)
	return cmd
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Reload lets the server read its configuration again, and does not wait.
func (s *Server) Reload() error {
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("signal prewarm serve: %w", err)
	}
	return nil
}

// Stop ends the server in order and waits.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends the server at whatever instruction it is at.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Dump kills the server and lets it log what each goroutine was doing.
func (s *Server) Dump() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal syscall.Signal) error {
	select {
	case <-s.exited:
		return s.err
	default:
	}
	if err := s.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("signal prewarm serve: %w", err)
	}
	<-s.exited
	if signal != syscall.SIGTERM {
		return nil
	}
	return s.err
}
