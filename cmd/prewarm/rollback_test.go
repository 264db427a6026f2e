package main

import (
	"testing"

	"github.com/prewarm/prewarm/internal/api"
)

// What people are told of a rollback and of an approval is what comes next.
func TestWentBack(t *testing.T) {
	t.Parallel()
	const to, left = "sha256:1111111111111111", "sha256:2222222222222222"
	hosts := []api.HostCopy{{State: "warm"}, {State: "waiting"}, {State: "warm"}}
	tests := map[string]struct {
		decision api.Decision
		want     string
	}{
		"at once": {
			api.Decision{Image: "jobs", Left: left, Rollout: api.Rollout{Tag: "v1", Digest: to, Phase: "current", Hosts: hosts}},
			"rolled back jobs:v1 to sha256:111111111111 (warm on 2 of 3 hosts); sha256:222222222222 is rejected until prewarm approve jobs:v1 sha256:222222222222",
		},
		"of what nobody knows what it left": {
			api.Decision{Image: "jobs", Rollout: api.Rollout{Digest: to, Phase: "current", Hosts: hosts[:1]}},
			"rolled back jobs to sha256:111111111111 (warm on 1 of 1 host)",
		},
		"once it is warm": {
			api.Decision{Image: "jobs", Left: left, Rollout: api.Rollout{Tag: "v1", Digest: to, Phase: "warming", Hosts: hosts[1:2]}},
			"jobs:v1 goes back to sha256:111111111111 as soon as it is warm (now on 0 of 1 host); until then sha256:222222222222 stays current, and it is rejected after",
		},
	}
	for name, test := range tests {
		if got := wentBack(test.decision); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestApproved(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]api.Rollout{
		"it is still held: verification":                       {Phase: "held", Holds: []string{"verification"}},
		"it is current":                                        {Phase: "current"},
		"it is warmed now, and goes live by the image's rules": {Phase: "warming"},
	} {
		if got := approved(r); got != want {
			t.Errorf("%+v: %s", r, got)
		}
	}
}
