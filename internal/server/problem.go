package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// statusOf is the HTTP status of each code. A code that is missing here is a
// fault of ours: 500.
var statusOf = map[problem.Code]int{
	problem.InvalidRequest:      http.StatusUnprocessableEntity,
	problem.ImageNotManaged:     http.StatusNotFound,
	problem.DigestNotManaged:    http.StatusConflict,
	problem.HostNotManaged:      http.StatusNotFound,
	problem.HostNotSelected:     http.StatusConflict,
	problem.RunNotFound:         http.StatusNotFound,
	problem.NoCurrent:           http.StatusConflict,
	problem.ImageNotWarm:        http.StatusConflict,
	problem.QueueFull:           http.StatusTooManyRequests,
	problem.Stopping:            http.StatusServiceUnavailable,
	problem.TagNotFound:         http.StatusBadGateway,
	problem.RegistryAuth:        http.StatusBadGateway,
	problem.RegistryLimited:     http.StatusTooManyRequests,
	problem.RegistryUnavailable: http.StatusBadGateway,
	problem.RegistryAnswer:      http.StatusBadGateway,
	problem.PlatformMissing:     http.StatusConflict,
	problem.HostUnreachable:     http.StatusBadGateway,
	problem.EngineAPI:           http.StatusBadGateway,
}

// answer is a problem on its way out.
type answer struct{ api.Problem }

func (a *answer) Error() string  { return a.Detail }
func (a *answer) GetStatus() int { return a.Status }

// ContentType is that of RFC 9457.
func (a *answer) ContentType(string) string { return "application/problem+json" }

// GetHeaders tells when to come back.
func (a *answer) GetHeaders() http.Header {
	h := http.Header{}
	if a.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.RetryAfter))
	}
	return h
}

// failure tells an error of the domain.
func failure(err error) error {
	p := problem.From(err)
	status, ok := statusOf[p.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	a := &answer{api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: p.Error(), Code: string(p.Code), Mend: p.Mend}}
	if p.RetryAfter > 0 {
		a.RetryAfter = max(1, int(p.RetryAfter.Seconds()))
	}
	// The message of a joined or wrapped error says more than its first problem.
	var only *problem.Error
	if errors.As(err, &only) && err != error(only) { //nolint:errorlint // identity is meant
		a.Detail = err.Error()
	}
	return a
}

// setProblemShape makes what huma refuses by itself (a body that does not fit
// the schema, say) look like every other problem. huma has this as a global.
var setProblemShape = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		code := problem.InvalidRequest
		if status >= http.StatusInternalServerError {
			code = problem.Internal
		}
		for _, err := range errs {
			if err != nil {
				message += "; " + fieldError(err)
			}
		}
		return &answer{api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: message, Code: string(code)}}
	}
})

// fieldError says which field is wrong, and how it was written.
func fieldError(err error) string {
	var d *huma.ErrorDetail
	if !errors.As(err, &d) {
		return err.Error()
	}
	text := strings.TrimPrefix(d.Location, "body.") + ": " + d.Message
	if d.Value != nil {
		text += fmt.Sprintf(" (got %.200v)", d.Value)
	}
	return text
}
