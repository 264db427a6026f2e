//go:build install

// Package install installs the program in each of the ways that docs/install
// tells of, and uses it there: as an image, as a Debian package, in compose, by
// the tutorial. It needs root, an engine (test/setup.sh), and for some of it the
// tools that make install-test builds; it never skips.
package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// All tests share one fleet: a host, and a registry.
var shared *fleet.Fleet

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
	if shared, err = fleet.Up(ctx, fleet.Options{Hosts: 1}); err != nil {
		return 1, err
	}
	defer func() {
		if downErr := shared.Down(); err == nil {
			err = downErr
		}
	}()
	return m.Run(), nil
}

// root is the top of the project.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
