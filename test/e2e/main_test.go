//go:build e2e

// Package e2e runs the prewarm program against real Docker engines and a real
// registry. It needs root and what test/setup.sh installs; it never skips.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// All tests share one fleet: each has repositories and a server of its own, so
// each is another instance on the same engines.
var (
	shared *fleet.Fleet
	binary string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "prewarm-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if binary, err = prewarmtest.Build(ctx, dir, append(prewarmtest.Failpoints(), "-race")...); err != nil {
		return 1, err
	}
	if shared, err = fleet.Up(ctx, fleet.Options{Hosts: 3}); err != nil {
		return 1, err
	}
	defer func() {
		if downErr := shared.Down(); err == nil {
			err = downErr
		}
	}()
	return m.Run(), nil
}
