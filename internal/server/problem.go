package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// statusOf is the HTTP status of each code that the API answers. A code that is
// missing here is a fault of ours: 500.
var statusOf = map[problem.Code]int{
	problem.InvalidRequest:      http.StatusUnprocessableEntity,
	problem.PathNotFound:        http.StatusNotFound,
	problem.MethodNotAllowed:    http.StatusMethodNotAllowed,
	problem.Unauthenticated:     http.StatusUnauthorized,
	problem.Forbidden:           http.StatusForbidden,
	problem.TooManyRequests:     http.StatusTooManyRequests,
	problem.TokenNotFound:       http.StatusNotFound,
	problem.TokenRefused:        http.StatusConflict,
	problem.ImageNotManaged:     http.StatusNotFound,
	problem.DigestNotManaged:    http.StatusConflict,
	problem.HostNotManaged:      http.StatusNotFound,
	problem.HostNotSelected:     http.StatusConflict,
	problem.RunNotFound:         http.StatusNotFound,
	problem.NoCurrent:           http.StatusConflict,
	problem.RolloutNotFound:     http.StatusNotFound,
	problem.NotVerified:         http.StatusConflict,
	problem.PlatformMissing:     http.StatusConflict,
	problem.ImageNotWarm:        http.StatusConflict,
	problem.NotAllowed:          http.StatusForbidden,
	problem.KeyConflict:         http.StatusConflict,
	problem.NoHost:              http.StatusConflict,
	problem.ScopeNotFound:       http.StatusNotFound,
	problem.PinCold:             http.StatusConflict,
	problem.PinUnavailable:      http.StatusConflict,
	problem.ScopeHost:           http.StatusConflict,
	problem.JoinedSince:         http.StatusConflict,
	problem.NotReleasable:       http.StatusConflict,
	problem.ImageInUse:          http.StatusConflict,
	problem.ImageLeaving:        http.StatusConflict,
	problem.PruneStopped:        http.StatusConflict,
	problem.RouteNotFound:       http.StatusNotFound,
	problem.NoticeFailed:        http.StatusBadGateway,
	problem.LogRemoved:          http.StatusGone,
	problem.QueueFull:           http.StatusTooManyRequests,
	problem.NoSpace:             http.StatusInsufficientStorage,
	problem.WebhookNotFound:     http.StatusNotFound,
	problem.WebhookDenied:       http.StatusUnauthorized,
	problem.WebhookBody:         http.StatusBadRequest,
	problem.WebhookBusy:         http.StatusServiceUnavailable,
	problem.Stopping:            http.StatusServiceUnavailable,
	problem.BackupUnderWay:      http.StatusConflict,
	problem.TagNotFound:         http.StatusBadGateway,
	problem.RegistryAuth:        http.StatusBadGateway,
	problem.RegistryLimited:     http.StatusTooManyRequests,
	problem.RegistryUnavailable: http.StatusBadGateway,
	problem.RegistryAnswer:      http.StatusBadGateway,
	problem.HostUnreachable:     http.StatusBadGateway,
	problem.EngineAPI:           http.StatusBadGateway,
	problem.Internal:            http.StatusInternalServerError,
}

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// typePrefix makes a URI of a code: that of its section in docs/errors.md.
const typePrefix = "https://github.com/prewarm/prewarm/blob/main/docs/errors.md#"

// mendByDocument is what to do about a request that does not fit the API.
const mendByDocument = "/openapi.yaml describes what the API takes"

// answer is a problem on its way out.
type answer struct{ api.Problem }

func newAnswer(status int, code problem.Code, detail, mend string) *answer {
	kind, _ := problem.KindOf(code)
	return &answer{api.Problem{
		Type: typePrefix + string(code), Title: kind.Means, Status: status,
		Detail: detail, Code: string(code), Mend: cmp.Or(mend, kind.Plain()),
	}}
}

func (a *answer) Error() string { return a.Detail }

// GetStatus is what huma asks for the status.
func (a *answer) GetStatus() int { return a.Status }

// ContentType is what huma asks for the media type.
func (a *answer) ContentType(string) string { return problemType }

// GetHeaders tells when to come back, and how to say who one is.
func (a *answer) GetHeaders() http.Header {
	h := http.Header{}
	if a.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.RetryAfter))
	}
	if a.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// write answers a request that huma does not see.
func (a *answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.GetHeaders())
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(a.Status)
	_ = json.NewEncoder(w).Encode(a) // a reader that went away needs no answer
}

// send answers a request that huma sees, and that has no handler to answer it.
func (a *answer) send(hc huma.Context) {
	for name := range a.GetHeaders() {
		hc.SetHeader(name, a.GetHeaders().Get(name))
	}
	hc.SetHeader("Content-Type", problemType)
	hc.SetStatus(a.Status)
	_ = json.NewEncoder(hc.BodyWriter()).Encode(a) // as above
}

// failure tells an error of the domain. The message is that of the whole error:
// what wraps or joins its problem says more than the problem alone.
func failure(err error) *answer {
	p := problem.From(err)
	status, ok := statusOf[p.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	a := newAnswer(status, p.Code, strings.ReplaceAll(err.Error(), "\n", "; "), p.Mend)
	// Rounded up: who comes back early is refused once more.
	a.RetryAfter = int(math.Ceil(p.RetryAfter.Seconds()))
	return a
}

// setGlobals sets what huma has as globals: what it refuses by itself (a body
// that does not fit the schema, say) looks like every other problem, and a list
// is never null.
var setGlobals = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		var fields []string
		for _, err := range errs {
			if err != nil {
				fields = append(fields, fieldError(err))
			}
		}
		if len(fields) > 0 {
			message += ": " + strings.Join(fields, "; ")
		}
		// Handlers answer problems only, so all that is left for huma to call
		// an error of the server is a body that it could not read to its end.
		if status == http.StatusInternalServerError {
			status = http.StatusBadRequest
		}
		return newAnswer(status, problem.InvalidRequest, message, mendByDocument)
	}
})

// longestValue bounds what is repeated of a wrong value, in bytes.
const longestValue = 100

// fieldError says which field is wrong and, where that helps, how it was
// written. Environments and whole bodies are never repeated: callers log what
// they are answered, and these hold secrets.
func fieldError(err error) string {
	var d *huma.ErrorDetail
	if !errors.As(err, &d) {
		return err.Error()
	}
	field := strings.TrimPrefix(d.Location, "body.")
	text := field + ": " + d.Message
	if field == "body" || strings.HasPrefix(field, "env") || strings.HasPrefix(field, "headers") || strings.HasPrefix(field, "secret_env") {
		return text
	}
	switch value := d.Value.(type) {
	case string:
		if value != "" && len(value) <= longestValue {
			text += fmt.Sprintf(" (got %q)", value)
		}
	case float64, bool:
		text += fmt.Sprintf(" (got %v)", value)
	}
	return text
}
