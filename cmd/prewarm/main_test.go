package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain lets the scripts and tests run this very program: under the name
// prewarm the test binary is it, so exec finds it in PATH.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"prewarm": main})
}

// leakChecked looks for goroutines that the tests left.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
