package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
)

func TestTheAuditLog(t *testing.T) {
	t.Parallel()
	mine := holder("ci", access.Run)
	mine.Namespace = "etl"
	few := holder("few", access.Warm)
	few.Images = []string{"etl-*"}
	l := newLocked(t, access.Setup{Tokens: []access.Token{mine, few, holder("root", access.Admin)}})
	var run api.Submitted
	l.as("ci", http.MethodPost, "/v1/runs", `{"image":"jobs","env":["A=hunter2"],"secret_env":[{"name":"B","value":"hunter3"}]}`).into(&run)
	l.as("ci", http.MethodPost, "/v1/runs/"+run.ID+"/cancel", "").into(new(api.Run))
	l.as("ci", http.MethodPost, "/v1/runs/nope/cancel", "").problem(http.StatusNotFound, problem.RunNotFound)
	l.as("ci", http.MethodPost, "/v1/prune?dry_run=1", "").problem(http.StatusForbidden, problem.Forbidden)
	l.as("ci", http.MethodGet, "/v1/tokens", "").problem(http.StatusForbidden, problem.Forbidden)
	l.as("", http.MethodPost, "/v1/runs", `{"image":"jobs"}`).problem(http.StatusUnauthorized, problem.Unauthenticated)
	l.as("wrong", http.MethodPost, "/v1/runs", `{"image":"jobs"}`).problem(http.StatusUnauthorized, problem.Unauthenticated)
	l.as("few", http.MethodPost, "/v1/images/jobs:latest/check", "").problem(http.StatusForbidden, problem.NotAllowed)
	l.as("root", http.MethodPost, "/v1/prune?dry_run=1", `{"hosts":["a"],"by":"ada@laptop"}`).into(new(api.Passes))
	l.as("ci", http.MethodGet, "/v1/runs", "").into(new(api.Runs))
	var made api.NewToken
	l.as("root", http.MethodPost, "/v1/tokens", `{"name":"new","scopes":["read"]}`).into(&made)

	var r *response
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r = l.as("root", http.MethodGet, "/v1/audit", "")
		if bytes.Count(r.body, []byte(`"status"`)) == 7 || time.Now().After(deadline) {
			break // how calls were answered is written down a moment later
		}
	}
	for _, secret := range []string{"hunter", made.Secret, "dry_run="} {
		if strings.Contains(string(r.body), secret) {
			t.Errorf("%q is in the audit log", secret)
		}
	}
	var calls api.Calls
	r.into(&calls)
	var got []string
	for _, c := range calls.Calls {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %d %s %s", c.Caller, c.Namespace, c.Operation, c.Path, c.Status, c.Subject, c.Run)))
		if c.At.IsZero() || !strings.HasPrefix(c.Remote, "127.0.0.1:") {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"ci etl submit-run /v1/runs 201 jobs run-01",
		"ci etl cancel-run /v1/runs/run-01/cancel 202",
		"ci etl cancel-run /v1/runs/nope/cancel 404",
		"ci etl prune /v1/prune 403",
		"few default check-image /v1/images/jobs:latest/check 403",
		"root default prune /v1/prune 200 a (dry run)",
		"root default create-token /v1/tokens 201 new",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var page api.Calls
	l.as("root", http.MethodGet, "/v1/audit?caller=ci&limit=1&after="+calls.Calls[0].ID, "").into(&page)
	if len(page.Calls) != 1 || page.Calls[0].ID != calls.Calls[1].ID {
		t.Errorf("%+v", page)
	}
}

// deaf is an audit log on a full disk.
type deaf struct{ server.Audit }

func (deaf) BeginCall(context.Context, access.Entry) error { return errors.New("the disk is full") }

func TestWhatCantBeWrittenDownIsNotDone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := newLocked(t, each(), func(o *server.Options) {
		o.Audit, o.Logger = deaf{}, slog.New(slog.NewTextHandler(&log, nil))
	})
	l.as("run", http.MethodPost, "/v1/runs", `{"image":"jobs"}`).problem(http.StatusInternalServerError, problem.Internal)
	if len(l.runs.all) != 0 {
		t.Error("it was done")
	}
}

// A caller fills the audit log no faster than it may call.
func TestTooManyCallsAreNotWrittenDown(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) { o.Setup = server.Setup{Rate: 1} })
	refused := 0
	for range 10 {
		if l.as("read", http.MethodPost, "/v1/runs", `{"image":"jobs"}`).status == http.StatusForbidden {
			refused++
		}
	}
	calls, err := l.store.Calls(t.Context(), access.EntryFilter{Limit: 100})
	if err != nil || refused == 10 || len(calls) != refused {
		t.Errorf("%d of 10 calls were forbidden, and %d are written down: %v", refused, len(calls), err)
	}
}
