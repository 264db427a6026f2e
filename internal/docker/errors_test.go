package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestUnreachableTellsWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, c := range []struct{ endpoint, why string }{
		{"unix://" + filepath.Join(dir, "none.sock"), "there is no socket"},
		{"tcp://" + closed.Addr().String(), "nothing listens at"},
	} {
		h, err := New(Options{Name: "etl-1", Endpoint: c.endpoint, Insecure: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Probe(t.Context())
		wantCode(t, c.endpoint, err, problem.HostUnreachable)
		p := problem.From(err)
		if !strings.Contains(p.Message, c.why) || !strings.Contains(p.Message, c.endpoint) || p.Mend == "" {
			t.Errorf("got %q, mend %q; want %q, the endpoint and a mend", p.Message, p.Mend, c.why)
		}
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &dialError{&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", err)}}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{dial(syscall.EACCES), "no permission for %s"},
		{dial(syscall.ENOENT), "there is no socket %s"},
		{dial(syscall.ECONNREFUSED), "nothing listens at %s"},
		{dial(syscall.ETIMEDOUT), "no answer in time from %s"},
		{context.DeadlineExceeded, "no answer in time from %s"},
		{&dialError{&net.DNSError{Name: "etl-1", IsNotFound: true}}, "the name in %s can't be resolved"},
		{syscall.ECONNRESET, "the connection to %s broke"},
	} {
		if got, mend := diagnose(c.err); got != c.want || mend == "" {
			t.Errorf("diagnose(%v) = %q, %q; want %q and a mend", c.err, got, mend, c.want)
		}
	}
}

func TestSilentEngineIsUnreachable(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /images/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	h := e.host()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := h.Inspect(ctx, pinA(t))
	wantCode(t, "Inspect of a silent engine", err, problem.HostUnreachable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v hides the deadline", err)
	}
}

func TestCancelIsNoFaultOfTheHost(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := e.host()
	s, err := h.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.Inspect(ctx, pinA(t)); !errors.Is(err, context.Canceled) || problem.CodeOf(err) == problem.HostUnreachable {
		t.Errorf("got %v, want the context's error alone", err)
	}
	if h.current() != s {
		t.Error("a cancelled call ended the session")
	}
}

func TestAnswersKeepTheirClass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		is     func(error) bool
	}{
		{http.StatusNotFound, errdefs.IsNotFound},
		{http.StatusConflict, errdefs.IsConflict},
		{http.StatusBadRequest, errdefs.IsInvalidArgument},
		{http.StatusInternalServerError, errdefs.IsInternal},
	} {
		e := newEngine(t)
		e.on("GET /containers/abc/json", fault(c.status, "it says no"))
		_, err := e.host().inspect(t.Context(), "abc")
		wantCode(t, fmt.Sprint(c.status), err, problem.EngineAPI)
		if !c.is(err) {
			t.Errorf("status %d: the class of %v is lost", c.status, err)
		}
		if want := "inspect container abc on host etl-1: it says no"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
