package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load makes a configuration of a free port, a state folder and what more says.
func load(t *testing.T, more string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prewarm.yaml")
	text := "server: {listen: 127.0.0.1:0}\nstate: {path: state}\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// log is what an App logs, read while it writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func options(c *config.Config) (app.Options, *log) {
	l := &log{}
	return app.Options{Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(l, nil))}, l
}

// running is an App that runs until stop, or until the test ends.
type running struct {
	client *api.Client
	addr   string
	log    *log
	stop   func() error
}

func start(t *testing.T, c *config.Config, change ...func(*app.App)) *running {
	t.Helper()
	o, l := options(c)
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range change {
		do(a)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	transport := &http.Transport{}
	r := &running{addr: a.Addr().String(), log: l}
	r.client = &api.Client{URL: "http://" + r.addr, HTTP: http.Client{Transport: transport}}
	r.stop = sync.OnceValue(func() error {
		cancel()
		defer transport.CloseIdleConnections()
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Minute):
			return errors.New("still running a minute after its end")
		}
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// within fails a test in which something takes too long.
func within(t *testing.T, limit time.Duration, what string, do func()) {
	t.Helper()
	begun := time.Now()
	do()
	if took := time.Since(begun); took > limit {
		t.Errorf("%s took %s", what, took)
	}
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after a minute: %s", what)
		}
	}
}

// expectFree proves that nothing holds the state any more.
func expectFree(t *testing.T, c *config.Config) {
	t.Helper()
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Errorf("the state is still held: %v", err)
		return
	}
	_ = s.Close()
}
