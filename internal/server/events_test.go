package server_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s.push(1)
	if _, err := s.client.Check(ctx, "jobs"); err != nil {
		t.Fatal(err)
	}
	var last int64
	var states []string
	err := s.client.Events(ctx, 0, true, func(e api.Event) error {
		if e.Seq != last+1 || e.At.IsZero() {
			t.Errorf("event %d after %d: %+v", e.Seq, last, e)
		}
		last = e.Seq
		if e.Image == "jobs" {
			states = append(states, e.Kind+" "+e.State)
		}
		if e.Image == "jobs" && e.State == "current" {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Contains(states, "rollout warming") {
		t.Errorf("%v, saw %q", err, states)
	}
	more := 0
	if err := s.client.Events(ctx, last, false, func(e api.Event) error {
		if e.Seq <= last {
			t.Errorf("event %d again", e.Seq)
		}
		more++
		return nil
	}); err != nil {
		t.Error(err)
	}
	s.request("GET", "/v1/events?after=-1", "").problem(422, problem.InvalidRequest)
}
