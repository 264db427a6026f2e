package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

func TestHistoryTables(t *testing.T) {
	t.Parallel()
	verdict := func(v api.Verdict) api.Trust { return api.Trust{Verdict: &v} }
	history := api.History{
		Image: "jobs",
		Rollouts: []api.Rollout{
			{Tag: "v1", Digest: "sha256:5555555555555555", Phase: "held", Origin: "tag", SeenAt: noon, Trust: verdict(api.Verdict{ExitCode: 2})},
			{Tag: "v1", Digest: "sha256:4444444444444444", Phase: "held", Origin: "approval", SeenAt: noon, Trust: verdict(api.Verdict{Failure: "none"})},
			{
				Tag: "v1", Digest: "sha256:3333333333333333", Phase: "current", Origin: "rollback", SeenAt: *ago(time.Hour), PromotedAt: ago(time.Minute), PromotedBy: "ada\x1b@laptop",
				Trust: verdict(api.Verdict{OK: true}), Build: &api.Build{Version: "1.4.2", Revision: "0123456789abcdef0123456789abcdef01234567", Source: "https://git.test/jobs"},
			},
			{Digest: "sha256:2222222222222222", Phase: "superseded", Origin: "tag", SeenAt: *ago(2 * time.Hour), PromotedAt: ago(2 * time.Hour), Build: &api.Build{Revision: "main"}},
		},
		Acts: []api.Act{
			{At: noon, Verb: "hold", By: "ada@laptop"},
			{At: *ago(time.Minute), Verb: "rollback", Tag: "v1", Digest: "sha256:3333333333333333", Detail: "from sha256:2222222222222222"},
		},
	}
	var b bytes.Buffer
	printHistory(&b, history)
	golden(t, "history.golden", b.String())
}
