package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
)

func TestFromStartToEnd(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	r := start(t, c)
	for _, path := range []string{"/readyz", "/healthz", "/v1/images", "/v1/hosts", "/v1/runs", "/openapi.yaml"} {
		resp, err := r.client.HTTP.Get("http://" + r.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	within(t, 10*time.Second, "the stop", func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := r.client.Images(t.Context()); problem.CodeOf(err) != problem.ServerUnreachable {
		t.Errorf("after the end: %v", err)
	}
	expectFree(t, c)
	if !strings.Contains(r.log.String(), "prewarm serves") {
		t.Errorf("log:\n%s", r.log)
	}
}

func TestAStopBeforeTheStartIsAStop(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	o, _ := options(c)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
	expectFree(t, c)
}

func TestAPortInUse(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := load(t, "")
	c.Server.Listen = l.Addr().String()
	o, _ := options(c)
	_, err = app.New(t.Context(), o)
	if problem.CodeOf(err) != problem.ListenFailed || !strings.Contains(err.Error(), c.Server.Listen) || !strings.Contains(problem.From(err).Mend, "server.listen") {
		t.Fatalf("got %v", err)
	}
	expectFree(t, c)
}

func TestAnAddressOfAnotherMachine(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	c.Server.Listen = "192.0.2.1:8470"
	o, _ := options(c)
	_, err := app.New(t.Context(), o)
	if problem.CodeOf(err) != problem.ListenFailed || strings.Contains(problem.From(err).Mend, "another prewarm") {
		t.Fatalf("got %v", err)
	}
	expectFree(t, c)
}

func TestASecondOneOnTheSameState(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	first := start(t, c)
	o, _ := options(c)
	_, err := app.New(t.Context(), o)
	if problem.CodeOf(err) != problem.StateLocked || !strings.Contains(err.Error(), c.State.Path) || problem.From(err).Mend == "" {
		t.Errorf("got %v", err)
	}
	if _, err := first.client.Images(t.Context()); err != nil {
		t.Errorf("the first one suffers: %v", err)
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	start(t, c) // now it is free
}

func TestACorruptState(t *testing.T) {
	t.Parallel()
	c := load(t, "")
	file := filepath.Join(c.State.Path, "prewarm.db")
	garbage := bytes.Repeat([]byte("no database. "), 1000)
	if err := os.MkdirAll(c.State.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	o, _ := options(c)
	for range 2 { // the second is not told that the first still holds the state
		if _, err := app.New(t.Context(), o); problem.CodeOf(err) != problem.StateCorrupt || problem.From(err).Mend == "" {
			t.Errorf("got %v", err)
		}
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, garbage) {
		t.Error("what may be saved was changed")
	}
}

// silent is an engine that takes connections and never answers.
func silent(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "docker.sock")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var taken sync.WaitGroup
	taken.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken.Go(func() {
				_, _ = io.Copy(io.Discard, conn) // until the caller gives up
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		taken.Wait()
	})
	return path
}

func TestHostsThatDoNotAnswerHoldUpNothing(t *testing.T) {
	t.Parallel()
	c := load(t, fmt.Sprintf(`
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
  - {name: refused, endpoint: "tcp://127.0.0.1:1", insecure: true}
  - {name: silent, endpoint: "unix://%s"}
images:
  - {name: jobs, repository: "127.0.0.1:1/etl/jobs", watch: "@every 1s"}
`, silent(t)))
	var r *running
	within(t, 8*time.Second, "the start", func() {
		r = start(t, c)
		resp, err := r.client.HTTP.Get("http://" + r.addr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("not ready: %s", resp.Status)
		}
	})
	await(t, "two hosts are known to be unreachable", func() bool {
		hosts, err := r.client.Hosts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		byName := make(map[string]api.Host)
		for _, h := range hosts.Hosts {
			byName[h.Name] = h
		}
		return len(byName) == 3 && byName["gone"].Contact == "unreachable" && byName["gone"].Reason != "" && byName["refused"].Contact == "unreachable"
	})
	_, err := r.client.Submit(t.Context(), api.SubmitRun{Image: "jobs"}, "")
	if problem.CodeOf(err) != problem.NoCurrent {
		t.Errorf("a submit: %v", err)
	}
	within(t, 10*time.Second, "the stop", func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// leave puts a run that was under way into a state.
func leave(t *testing.T, c *config.Config, id string) {
	t.Helper()
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.InsertRun(t.Context(), runner.Run{
		ID: id, Image: "jobs", State: runner.Running, Host: "gone", ContainerID: "c", Submitted: time.Now(),
	}, nil, nil); err != nil {
		t.Fatal(err)
	}
}

// A run of an earlier life is taken up again, and stays what it is while its
// host does not answer.
func TestAStartTakesUpWhatAnEarlierLifeLeft(t *testing.T) {
	t.Parallel()
	c := load(t, "hosts:\n  - {name: gone, endpoint: \"unix:///nowhere/docker.sock\"}\n")
	leave(t, c, "left")
	r := start(t, c)
	await(t, "its host is known to be unreachable", func() bool {
		run, err := r.client.Run(t.Context(), "left")
		if err != nil || run.Ended {
			t.Fatalf("%+v %v", run, err)
		}
		return run.Unreachable != nil
	})
}
