package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/runner"
)

func TestACallerAsksSoOftenAndFollowsSoMuch(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) { o.Setup = server.Setup{Rate: 5, Followers: 1} })
	l.runs.add(runner.Run{ID: "r", State: runner.Running, Terms: runner.Terms{Namespace: access.DefaultNamespace}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	follow := func() *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/v1/runs/r/logs?follow=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer run")
		c := clientOf(t, l.url)
		resp, err := c.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := follow()
	defer resp.Body.Close()
	p := l.as("run", http.MethodGet, "/v1/runs/r/wait?timeout=1", "").problem(http.StatusTooManyRequests, problem.TooManyRequests)
	if p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	l.as("admin", http.MethodGet, "/v1/runs/r/wait?timeout=1", "").into(new(api.Run)) // another caller
	stop()
	_, _ = io.Copy(io.Discard, resp.Body)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		if r := l.as("run", http.MethodGet, "/v1/runs/r/wait?timeout=1", ""); r.status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of a follower that left is not given back")
		}
	}
	refused := 0
	for range 20 {
		if l.as("read", http.MethodGet, "/v1/runs", "").status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("of 20 calls at once with 5 a second, %d were refused", refused)
	}
	if r := l.as("warm", http.MethodGet, "/v1/runs", ""); r.status != http.StatusOK {
		t.Error("one caller takes the calls of another")
	}
}

// Whoever follows as much as it may still learns what needs no waiting: tasks
// whose runs have ended are not held up by those whose runs go on.
func TestWhatEndsByItselfIsNotFollowed(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) { o.Setup = server.Setup{Followers: 1} })
	terms := runner.Terms{Namespace: access.DefaultNamespace}
	l.runs.add(runner.Run{ID: "live", State: runner.Running, Terms: terms})
	l.runs.add(runner.Run{ID: "over", State: runner.Succeeded, Ended: time.Now(), Terms: terms})
	l.runs.print("over", "done")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url+"/v1/runs/live/logs?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer run")
	c := clientOf(t, l.url)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, path := range []string{"/v1/runs/live/logs?follow=1", "/v1/runs/live/wait?timeout=1", "/v1/events?follow=true"} {
		if p := l.as("run", http.MethodGet, path, "").problem(http.StatusTooManyRequests, problem.TooManyRequests); p.RetryAfter == 0 {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for range 3 { // nor does any of it take a place and keep it
		for _, path := range []string{
			"/v1/runs/over/logs?follow=true", "/v1/runs/over/logs", "/v1/runs/live/logs", "/v1/runs/live/logs?follow=false",
			"/v1/runs/over/wait", "/v1/runs/over/wait?timeout=0", "/v1/runs/live/wait?timeout=0", "/v1/events",
		} {
			if r := l.as("run", http.MethodGet, path, ""); r.status != http.StatusOK || path == "/v1/runs/over/logs?follow=true" && !strings.Contains(string(r.body), "done") {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
	}
}

// A caller that asks too much can still end its runs: it does not ask again later.
func TestCancelsHaveABudgetOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each(), func(o *server.Options) { o.Setup = server.Setup{Rate: 0.1} })
	l.runs.add(runner.Run{ID: "r", State: runner.Running, Terms: runner.Terms{Namespace: access.DefaultNamespace}})
	limited := func(method, path string) (n int) {
		for range 20 {
			if l.as("run", method, path, "").status == http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	if limited(http.MethodGet, "/v1/runs") == 0 {
		t.Fatal("the caller is not at its limit")
	}
	for _, path := range []string{"/v1/runs/r/cancel", "/v1/runs/r/reject"} {
		if n := limited(http.MethodPost, path); n > 0 {
			t.Errorf("%s: %d of 20 were refused", path, n)
		}
	}
	// What only looks like one has the budget of all else.
	for method, path := range map[string]string{http.MethodGet: "/v1/runs/r/cancel", http.MethodPost: "/v1/runs/r/release", http.MethodDelete: "/v1/runs/r/cancel"} {
		if limited(method, path) == 0 {
			t.Errorf("%s %s was never refused", method, path)
		}
	}
	l.as("warm", http.MethodPost, "/v1/runs/r/cancel", "").problem(http.StatusForbidden, problem.Forbidden)
	l.as("wrong", http.MethodPost, "/v1/runs/r/cancel", "").problem(http.StatusUnauthorized, problem.Unauthenticated)
	if calls, err := l.store.Calls(t.Context(), access.EntryFilter{Caller: "run", Limit: 1000}); err != nil || len(calls) < 40 {
		t.Errorf("%d calls were written down (%v), want those that were let in", len(calls), err)
	}
}

// The budget of cancels has an end, too.
func TestCancelsAreBounded(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	options := serverOf(l.runs)
	options.Access, options.Logger, options.Setup = l.keys, discard, server.Setup{Rate: 0.1}
	handler := server.New(options).Handler()
	let := 0
	for begun := time.Now(); ; let++ {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://localhost/v1/runs/none/cancel", nil)
		r.Header.Set("Authorization", "Bearer run")
		if handler.ServeHTTP(w, r); w.Code == http.StatusTooManyRequests {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("%d were let in within a minute", let)
		}
	}
	if let < 1000 {
		t.Errorf("only %d were let in at once", let)
	}
}

func TestWrongTokensAreAnsweredLessAndLess(t *testing.T) {
	t.Parallel()
	l := newLocked(t, each())
	limited := 0
	for n := range 40 {
		if l.as(fmt.Sprint("wrong", n), http.MethodGet, "/v1/runs", "").status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 10 {
		t.Errorf("%d of 40 were limited", limited)
	}
	l.as("read", http.MethodGet, "/v1/runs", "").into(new(api.Runs)) // nobody is locked out by a neighbour
}
