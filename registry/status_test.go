package registry

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestStatusesCountRequestsByTheirEnd(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	f.push(t, "etl/node", "latest", testImage(t, "linux/amd64", 1))
	c := testClient(t, anonymous(f))
	clock := newHandTime()
	c.now = clock.Now
	if all := c.Statuses(); len(all) != 0 {
		t.Errorf("told before anything was asked: %+v", all)
	}
	ref := mustRef(t, f.host()+"/etl/node:latest")
	must(c.Resolve(t.Context(), ref))(t) // a ping and a HEAD
	_, err := c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:gone"))
	check(t, err, problem.TagNotFound) // by a HEAD, and a GET where that gave no digest
	want := Status{Name: f.host(), Requests: map[Outcome]int64{Answered: 2, Missing: 2}}
	if diff := cmp.Diff([]Status{want}, c.Statuses()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	f.set(func(f *fake) {
		f.fault = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	for range 2 { // the second one is not sent
		_, err = c.Resolve(t.Context(), ref)
		check(t, err, problem.RegistryLimited)
	}
	got := c.Statuses()[0]
	if until := got.ClosedUntil.Sub(clock.Now()); until < time.Minute || until > 2*time.Minute {
		t.Errorf("left alone for %s", until)
	}
	if got.Requests[Limited] != 1 || got.Requests[Answered] != 2 {
		t.Errorf("%+v", got.Requests)
	}
	c.Reconfigure(Options{Access: []Access{{Name: f.host(), PlainHTTP: true, Username: "other", Password: "words", Rate: unlimited}}, Rate: unlimited})
	if again := c.Statuses()[0]; !cmp.Equal(again.Requests, got.Requests) {
		t.Errorf("another login begins to count anew: %+v", again.Requests)
	}
	clock.advance(time.Hour)
	if again := c.Statuses()[0]; !again.ClosedUntil.IsZero() {
		t.Errorf("still left alone until %s", again.ClosedUntil)
	}
}

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Outcome{
		200: Answered, 206: Answered, 304: Answered, 302: Redirected, 307: Redirected, 400: Faulty, 401: Denied, 403: Denied,
		404: Missing, 405: Faulty, 429: Limited, 500: Faulty, 503: Faulty,
	} {
		if got := outcomeOf(status); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}
