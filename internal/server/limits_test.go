package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	p := l.as("run", http.MethodGet, "/v1/runs/r/wait?timeout=0", "").problem(http.StatusTooManyRequests, problem.TooManyRequests)
	if p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	l.as("admin", http.MethodGet, "/v1/runs/r/wait?timeout=0", "").into(new(api.Run)) // another caller
	stop()
	_, _ = io.Copy(io.Discard, resp.Body)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		if r := l.as("run", http.MethodGet, "/v1/runs/r/wait?timeout=0", ""); r.status == http.StatusOK {
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
