package main

import (
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

var update = flag.Bool("update", false, "rewrite the files that the tests compare with")

// The scripts in testdata show every verb as a user meets it. Beside the words
// of testscript they use:
//
//	exits CODE COMMAND...       the command ends with this code
//	fleet [approve] HOST...     start a server with these hosts; PREWARM_URL leads to it
//	                            and, with approve, each digest needs an approval
//	push N                      the tag shows digest N from now on
//	current N                   push N, and wait until it is current
//	live N                      wait until digest N is current
//	host NAME down|up|hold|release|gone N|full N
//	                            what befalls a host: hold stops its pulls, gone
//	                            takes an image away, full lets its pulls fail
//	state HOST STATE            wait until the newest digest is so on the host
//	registry down|up            what befalls the registry
//	cut                         kill the server
//	answer METHOD PATH FILE [STATUS]
//	                            have a server that answers with a file; PREWARM_URL leads to it
//	asked FILE                  these, a line each, were the requests since the last asked
//	address VARIABLE            put a free address of this machine into a variable
//	ready                       wait until a server answers at PREWARM_URL
//	tagserver VARIABLE TAG...   start a registry with these tags; put its address into a variable
//	expand FILE                 put variables in a file in place
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PREWARM_URL", "http://127.0.0.1:1") // no server
			e.Setenv("GORACE", quickRace)
			e.Values[theFleet] = &fleet{}
			e.Values[cannedKey{}] = &canned{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "fleet": startFleet, "push": push, "current": current,
			"host": host, "state": state, "registry": setRegistry, "cut": cut,
			"address": address, "ready": ready, "live": live, "tagserver": serveTags, "expand": expand,
			"answer": answerWith, "asked": asked,
		},
	})
}

type fleetKey struct{}

// theFleet is where a script's server is kept.
var theFleet fleetKey

func fleetOf(ts *testscript.TestScript) *fleet { return ts.Value(theFleet).(*fleet) }

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func startFleet(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := os.MkdirTemp(ts.Getenv("WORK"), "server")
	ts.Check(err)
	f, err := newFleet(context.Background(), dir, args...)
	ts.Check(err)
	ts.Defer(func() {
		if err := f.stop(); err != nil && !errors.Is(err, os.ErrClosed) {
			ts.Logf("the server: %v", err)
		}
	})
	*fleetOf(ts) = *f
	ts.Setenv("PREWARM_URL", f.url)
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func push(ts *testscript.TestScript, _ bool, args []string) { fleetOf(ts).push(number(ts, args[0])) }

func current(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(fleetOf(ts).warm(context.Background(), number(ts, args[0])))
}

func live(ts *testscript.TestScript, _ bool, args []string) {
	digest := string(pinOf(number(ts, args[0])).Digest())
	ts.Check(fleetOf(ts).await(context.Background(), func(image api.Image) bool {
		current := image.Tracks[0].Current
		return current != nil && current.Digest == digest
	}))
}

func serveTags(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(tagServer(args[1:]))
	ts.Defer(s.Close)
	ts.Setenv(args[0], strings.TrimPrefix(s.URL, "http://"))
}

func expand(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

func host(ts *testscript.TestScript, _ bool, args []string) {
	h := fleetOf(ts).hosts[args[0]]
	pin := pinOf(0)
	if len(args) > 2 {
		pin = pinOf(number(ts, args[2]))
	}
	switch args[1] {
	case "down":
		h.SetDown(true)
	case "up":
		h.SetDown(false)
	case "hold":
		h.HoldPulls()
	case "release":
		h.ReleasePulls()
	case "gone":
		h.Forget(pin)
	case "full":
		h.FailPull(pin, problem.New(problem.NoSpace, "pull "+pin.String()+": no space left on the host", "prune there"), -1)
	default:
		ts.Fatalf("host %q", args)
	}
}

func state(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(fleetOf(ts).await(context.Background(), func(image api.Image) bool {
		all := rollouts(image.Tracks[0])
		for _, copied := range all[max(0, len(all)-1):][0].Hosts {
			if copied.Host == args[0] {
				return copied.State == args[1]
			}
		}
		return false
	}))
}

func setRegistry(ts *testscript.TestScript, _ bool, args []string) {
	f := fleetOf(ts)
	var err error
	if args[0] == "down" {
		err = problem.New(problem.RegistryUnavailable, "resolve registry.test/etl/jobs:latest: connection refused", "start the registry")
	}
	f.tags.mu.Lock()
	defer f.tags.mu.Unlock()
	f.tags.err = err
}

func cut(ts *testscript.TestScript, _ bool, _ []string) { fleetOf(ts).listener.cut() }

func address(ts *testscript.TestScript, _ bool, args []string) {
	free, err := prewarmtest.FreeAddress()
	ts.Check(err)
	ts.Setenv(args[0], free)
}

func ready(ts *testscript.TestScript, _ bool, _ []string) {
	server := api.Client{URL: ts.Getenv("PREWARM_URL")}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := server.Hosts(context.Background())
		switch {
		case err == nil:
			return
		case time.Now().After(deadline):
			ts.Fatalf("no server: %v", err)
		}
	}
}

// Every script says in its first line what it shows.
func TestScriptsSayWhatTheyShow(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with a comment", path)
		}
	}
}
