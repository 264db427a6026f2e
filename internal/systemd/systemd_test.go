package systemd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// listen plays the service manager: it gives the next message that comes.
func listen(t *testing.T) (next func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestWords(t *testing.T) {
	next := listen(t)
	m, err := Find(discard())
	if err != nil {
		t.Fatal(err)
	}
	m.Ready("serves\nREADY=0\n on  two lines")
	if got, want := next(), "READY=1\nSTATUS=serves READY=0 on two lines"; got != want {
		t.Errorf("ready: got %q, want %q", got, want)
	}
	m.Reloading()
	if got := next(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`).MatchString(got) {
		t.Errorf("reloading: got %q", got)
	}
	m.Ready(strings.Repeat("é", 1000))
	if got := next(); len(got) > 500 || !strings.HasSuffix(got, "é…") {
		t.Errorf("a long status: got %d bytes, %q", len(got), got)
	}
	m.Stopping()
	if got, want := next(), "STOPPING=1\nSTATUS=stopping"; got != want {
		t.Errorf("stopping: got %q, want %q", got, want)
	}
}

// The time is what the manager told this process, and nobody else's.
func TestFindWatchdog(t *testing.T) {
	for name, test := range map[string]struct {
		usec, pid string
		want      time.Duration
		err       string
	}{
		"none":        {},
		"ours":        {usec: "30000000", pid: strconv.Itoa(os.Getpid()), want: 30 * time.Second},
		"anybody's":   {usec: "30000000", want: 30 * time.Second},
		"another's":   {usec: "30000000", pid: "1"},
		"not a time":  {usec: "soon", err: "WATCHDOG_USEC"},
		"no duration": {usec: "0", err: "WATCHDOG_USEC"},
	} {
		t.Run(name, func(t *testing.T) {
			listen(t)
			t.Setenv("WATCHDOG_USEC", test.usec)
			t.Setenv("WATCHDOG_PID", test.pid)
			m, err := Find(discard())
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error that names %s", err, test.err)
				}
			case err != nil:
				t.Error(err)
			case m.watchdog != test.want:
				t.Errorf("got %s, want %s", m.watchdog, test.want)
			}
		})
	}
}

// Without a manager there is nobody to tell, and no mistake.
func TestNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m, err := Find(discard())
	if m != nil || err != nil {
		t.Fatalf("got %v, %v", m, err)
	}
}

func TestManagerGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	var text bytes.Buffer
	m, err := Find(slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	m.Ready("serves")
	if !strings.Contains(text.String(), "READY=1") {
		t.Errorf("the log does not tell what was not said: %s", &text)
	}
}

// told is what a manager hears, with the time since the start.
type told struct {
	began time.Time
	mu    sync.Mutex
	at    []time.Duration
}

func (w *told) send(state string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if state == "WATCHDOG=1" {
		w.at = append(w.at, time.Since(w.began))
	}
	return nil
}

// watch plays a manager that wants to hear within 60 s, for two minutes.
func watch(t *testing.T, alive func(context.Context) error) (at []time.Duration, log string) {
	t.Helper()
	var text bytes.Buffer
	heard := &told{began: time.Now()}
	m := &Manager{watchdog: 60 * time.Second, send: heard.send, logger: slog.New(slog.NewTextHandler(&text, nil))}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Second)
	defer cancel()
	m.Watch(ctx, alive)
	return heard.at, text.String()
}

func seconds(n ...int) (d []time.Duration) {
	for _, s := range n {
		d = append(d, time.Duration(s)*time.Second)
	}
	return d
}

func TestWatchLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, log := watch(t, func(context.Context) error { return nil })
		if diff := cmp.Diff(seconds(15, 30, 45, 60, 75, 90, 105, 120), at); diff != "" || log != "" {
			t.Errorf("words of life (-want +got):\n%s\nlog: %s", diff, log)
		}
	})
}

// A server that takes its time, but answers, is heard of within the limit.
func TestWatchSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		at, _ := watch(t, func(ctx context.Context) error {
			if looks++; looks%2 == 1 {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(29 * time.Second):
				return nil
			}
		})
		last := time.Duration(0)
		for _, now := range append(at, 2*time.Minute) {
			if now-last >= 60*time.Second {
				t.Errorf("silent from %s to %s: the manager would have restarted it", last, now)
			}
			last = now
		}
	})
}

// Whenever a disk begins to stand still, it may do so for two thirds of the limit.
func TestWatchStalled(t *testing.T) {
	t.Parallel()
	for begin := range 60 {
		synctest.Test(t, func(t *testing.T) {
			from := time.Now().Add(time.Duration(begin)*time.Second + time.Millisecond)
			to := from.Add(40 * time.Second)
			at, _ := watch(t, func(ctx context.Context) error {
				for now := time.Now(); now.After(from) && now.Before(to); now = time.Now() {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(to.Sub(now)):
					}
				}
				return nil
			})
			last := time.Duration(0)
			for _, now := range append(at, 2*time.Minute) {
				if now-last >= 60*time.Second {
					t.Errorf("stalled from %d s on: silent from %s to %s", begin, last, now)
				}
				last = now
			}
		})
	}
}

// A server that fails is silent, says so once, and is heard again once it works.
func TestWatchFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		at, log := watch(t, func(context.Context) error {
			if since := time.Since(began); since > 20*time.Second && since < 70*time.Second {
				return errors.New("the state is away")
			}
			return nil
		})
		if diff := cmp.Diff(seconds(15, 75, 90, 105, 120), at); diff != "" {
			t.Errorf("words of life (-want +got):\n%s", diff)
		}
		if n := strings.Count(log, "the state is away"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, log)
		}
	})
}

// A server that hangs where no context reaches is silent, too.
func TestWatchHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		at, log := watch(t, func(context.Context) error { <-release; return nil })
		close(release)
		if len(at) != 0 || !strings.Contains(log, "no answer within 30s") {
			t.Errorf("words of life %v, log: %s", at, log)
		}
	})
}
