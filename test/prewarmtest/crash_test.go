package prewarmtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a shell script that stands for prewarm, and gives the address
// of somebody who says that it is ready.
func program(t *testing.T, script string) (binary, address string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "prewarm")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	return binary, strings.TrimPrefix(s.URL, "http://")
}

func TestAServerIsToldWhereToDie(t *testing.T) {
	t.Parallel()
	binary, address := program(t, `[ "$PREWARM_FAILPOINT" = run-inserted:2 ] || exit 1; kill -9 $$`)
	s, err := Start(binary, "none", address, io.Discard, DieAt("run-inserted:2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AwaitDeath(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Kill(); err == nil {
		t.Error("a dead one was killed")
	}
}

func TestAnyOtherEndIsNoDeath(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"orderly":         "echo as I was asked >&2",
		"by itself":       "echo as I was asked >&2; exit 9",
		"another signal":  "echo as I was asked >&2; kill -15 $$",
		"nine is no code": "echo as I was asked >&2; exit 137",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, address := program(t, script)
			s, err := Start(binary, "none", address, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.AwaitDeath(t.Context()); err == nil || !strings.Contains(err.Error(), "as I was asked") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAwaitDeathGivesUp(t *testing.T) {
	t.Parallel()
	binary, address := program(t, "exec sleep 60")
	s, err := Serve(t.Context(), binary, "none", address, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.AwaitDeath(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
	if err := s.AwaitDeath(t.Context()); err != nil {
		t.Error(err)
	}
}
