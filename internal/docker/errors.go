package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/docker/docker/client"

	"github.com/prewarm/prewarm/internal/problem"
)

// explain turns what the client returned into an error for a reader. A caller
// that gave up gets its own context's error back; an engine that did not answer
// ends the session.
func (h *Host) explain(ctx context.Context, s *session, what string, err error) error {
	var told *problem.Error
	switch {
	case errors.As(err, &told):
		return err // a step within the call has explained it
	case errors.Is(ctx.Err(), context.Canceled):
		return h.gaveUp(ctx, what)
	case unanswered(err):
		h.drop(s)
		return h.unreachable(what, err)
	case strings.Contains(strings.ToLower(err.Error()), saysTLS):
		return h.unreachable(what, &obstacle{
			why: "what listens at %s speaks TLS", cause: nil,
			mend: "give tls on the host (ca, cert, key) in place of insecure: true",
		})
	}
	return problem.Wrap(problem.EngineAPI, &answer{err}, what+" on host "+h.name, "")
}

// gaveUp is the error of a caller that ended its own call. For a stream that is
// its deadline, too; a short call that meets one found the engine silent.
func (h *Host) gaveUp(ctx context.Context, what string) error {
	return fmt.Errorf("%s on host %s: %w", what, h.name, ctx.Err())
}

// answer is an error that the engine answered with, without the client's
// preamble. The class of the error (errdefs) stays visible through it.
type answer struct{ err error }

func (a *answer) Error() string {
	return strings.TrimPrefix(a.err.Error(), "Error response from daemon: ")
}
func (a *answer) Unwrap() error { return a.err }

// unanswered tells an engine that gave no answer from one that answered with an
// error. A body that broke off counts as no answer.
func unanswered(err error) bool {
	var n net.Error
	var d *dialError
	return client.IsErrConnectionFailed(err) || errors.As(err, &n) || errors.As(err, &d) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// unreachable says that nobody answered at the endpoint, why, and what to do,
// told apart as far as the operating system tells it.
func (h *Host) unreachable(what string, err error) error {
	why, mend := diagnose(err)
	if strings.Contains(why, "%s") {
		why = strings.ReplaceAll(why, "%s", h.endpoint.String())
	}
	return problem.Wrap(problem.HostUnreachable, cause(err), fmt.Sprintf("%s on host %s: %s", what, h.name, why), mend)
}

// diagnose says why nobody answered and what to do; %s stands for the endpoint.
func diagnose(err error) (why, mend string) {
	var known *obstacle
	var dns *net.DNSError
	var n net.Error
	switch {
	case errors.As(err, &known):
		return known.why, known.mend
	case errors.Is(err, fs.ErrPermission):
		return "no permission for %s", "run prewarm as root or as a member of the group that owns the socket (docker, usually)"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no socket %s", "install or start the engine (systemctl start docker), or correct the host's endpoint"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at %s", "start the engine (systemctl start docker), or correct the host's endpoint"
	case errors.As(err, &dns):
		return "the name in %s can't be resolved", "correct the host's endpoint, or the name service"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return "no answer in time from %s", "check that the machine is up, that no firewall drops the port, and how loaded the engine is"
	}
	if why, mend, ok := diagnoseTLS(err); ok {
		return why, mend
	}
	return "the connection to %s broke", "check that the engine was not stopped or restarted"
}

// obstacle is a failure on the way to the engine that knows its own mend.
type obstacle struct {
	why, mend string // %s in why stands for the endpoint
	cause     error  // nil where why says it all
}

func (f *obstacle) Error() string { return f.why }
func (f *obstacle) Unwrap() error { return f.cause }

// cause is the innermost error worth reading: the client wraps it in the
// request's URL, which tells an operator nothing.
func cause(err error) error {
	var f *obstacle
	if errors.As(err, &f) {
		return f.cause
	}
	var d *dialError
	if errors.As(err, &d) {
		return d.cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
