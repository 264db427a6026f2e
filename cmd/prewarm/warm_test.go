package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func TestColdError(t *testing.T) {
	t.Parallel()
	warm := api.HostCopy{Host: "e1", State: "warm"}
	if err := coldError("jobs", api.Rollout{Hosts: []api.HostCopy{warm}}); err != nil {
		t.Error(err)
	}
	err := coldError("jobs", api.Rollout{Hosts: []api.HostCopy{
		warm, {Host: "e2", State: "failed", Reason: "no space"}, {Host: "e3", State: "unknown"},
	}})
	if want := "jobs is not warm on every host: e2: failed: no space; e3: unknown"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHeldError(t *testing.T) {
	t.Parallel()
	const digest = "sha256:1111111111111111"
	verdict := api.Trust{Verdict: &api.Verdict{ExitCode: 1}}
	tests := map[string]struct {
		rollout    api.Rollout
		want, mend string
	}{
		"on its way":            {api.Rollout{Phase: "warming"}, "", ""},
		"about to be let go":    {api.Rollout{Phase: "held"}, "", ""},
		"its verification runs": {api.Rollout{Phase: "held", Holds: []string{"verification"}}, "", ""},
		"an approval": {
			api.Rollout{Phase: "held", Digest: digest, Tag: "v1", Holds: []string{"approval"}},
			"warm jobs: sha256:111111111111 is held: approval", "prewarm approve jobs:v1 sha256:111111111111 lets it pass",
		},
		"a verification that said no": {
			api.Rollout{Phase: "held", Digest: digest, Holds: []string{"approval", "verification_failed"}, Trust: verdict},
			"warm jobs: sha256:111111111111 is held: approval, verification failed", "see prewarm history jobs",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := heldError("jobs", test.rollout)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if p := problem.From(err); p.Message != test.want || p.Mend != test.mend {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestAlso(t *testing.T) {
	t.Parallel()
	first, second := problem.New(problem.TagNotFound, "first", "push it"), errors.New("second")
	for _, test := range []struct {
		got  error
		want string
	}{
		{also(first, second), "first; second"},
		{also(first, nil), "first"},
		{also(nil, second), "second"},
	} {
		if test.got == nil || test.got.Error() != test.want {
			t.Errorf("got %v, want %s", test.got, test.want)
		}
	}
	if err := also(nil, nil); err != nil {
		t.Error(err)
	}
	if p := problem.From(also(first, second)); p.Mend != "push it" {
		t.Errorf("the mend is lost: %+v", p)
	}
}

// A digest that a newer one overtook will never be warm, so nobody waits for it.
func TestAwaitWarmOvertaken(t *testing.T) {
	t.Parallel()
	f := serve(t)
	c := &cli{server: f.url}
	_, err := c.awaitWarm(t.Context(), "jobs", string(pinOf(9).Digest()), nil, quiet{})
	if want := "warm jobs: sha256:999999999999 was overtaken by a newer digest"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Watching ends with its context, whatever the hosts do.
func TestAwaitWarmEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := serve(t)
	f.hosts["e1"].HoldPulls()
	defer f.hosts["e1"].ReleasePulls()
	pin := f.push(2)
	if _, err := f.api.Check(t.Context(), "jobs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := (&cli{server: f.url}).awaitWarm(ctx, "jobs", string(pin.Digest()), nil, quiet{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Only a registry that fails lets the old digest be warmed; all else ends the
// verb at once.
func TestLook(t *testing.T) {
	t.Parallel()
	f := serve(t)
	c := &cli{server: f.url}
	if unseen, err := c.look(t.Context(), "jobs"); unseen != nil || err != nil {
		t.Errorf("a good tag: %v, %v", unseen, err)
	}
	if unseen, err := c.look(t.Context(), "jobz"); unseen != nil || problem.CodeOf(err) != problem.ImageNotManaged {
		t.Errorf("an unknown image: %v, %v", unseen, err)
	}
	for _, code := range []problem.Code{problem.TagNotFound, problem.RegistryAuth, problem.RegistryUnavailable, problem.RegistryAnswer, problem.RegistryLimited} {
		f.tags.set(pinOf(1), problem.New(code, fmt.Sprintf("it is %s", code), ""))
		unseen, err := c.look(t.Context(), "jobs")
		if err != nil || unseen == nil || !strings.Contains(unseen.Error(), "it is "+string(code)) {
			t.Errorf("%s: %v, %v", code, unseen, err)
		}
	}
}
