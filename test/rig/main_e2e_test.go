//go:build e2e

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
)

func rig(ctx context.Context, t *testing.T, args ...string) (out, log string) {
	t.Helper()
	var o, l bytes.Buffer
	if err := run(ctx, args, &o, &l); err != nil {
		t.Fatalf("rig %v: %v", args, err)
	}
	return o.String(), l.String()
}

func TestEveryCommandMayBeRepeated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rig")
	ctx := t.Context()
	t.Cleanup(func() { rig(context.Background(), t, "down", "--dir", dir) })
	first, _ := rig(ctx, t, "up", "--hosts", "2", "--tls", "--ssh", "--dir", dir, "--detach")
	for _, want := range []string{
		"etl-1", "etl-2", "tcp://10.", ":2376", "Debian's engine", "unix://" + dir, "registry", dir,
		"ssh://root@10.", filepath.Join(dir, "etl-2", "tls"),
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the table lacks %q:\n%s", want, first)
		}
	}
	second, log := rig(ctx, t, "up", "--hosts", "2", "--dir", dir)
	if second != first || !strings.Contains(log, "already") {
		t.Errorf("the second up said %s and showed\n%sinstead of\n%s", log, second, first)
	}
	for _, want := range []string{"taking down", ""} {
		if _, log := rig(ctx, t, "down", "--dir", dir); !strings.Contains(log, want) {
			t.Errorf("down said %q, want %q", log, want)
		}
		if _, err := fleet.Load(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after down: %v", err)
		}
	}
}

// interrupt is an output whose first line is followed by Ctrl-C.
type interrupt struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (i *interrupt) Write(b []byte) (int, error) {
	i.cancel()
	return i.Buffer.Write(b)
}

func TestAnInterruptEndsWhatWasStarted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rig")
	for _, moment := range []string{"starting", "up"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, log := &interrupt{cancel: func() {}}, &interrupt{cancel: func() {}}
		if moment == "up" {
			out.cancel = cancel
		} else {
			log.cancel = cancel
		}
		err := run(ctx, []string{"up", "--hosts", "1", "--dir", dir}, out, log)
		cancel()
		if (err != nil) != (moment == "starting") || strings.Contains(out.String(), "etl-1") != (moment == "up") {
			t.Errorf("interrupted while %s: %v, %q", moment, err, out)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("interrupted while %s, the folder: %v", moment, err)
		}
	}
}
