//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// What other hands do on a host is mended, or does no harm.
func TestForeignHands(t *testing.T) {
	t.Parallel()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("foreign"))
	b := newBench(t, image(t))
	b.awaitCurrent(digest)
	repository := shared.Registry.Addr + "/" + repo(t)
	keepTag := repository + ":prewarm-" + strings.TrimPrefix(digest, "sha256:")
	h := shared.Hosts[0]
	warmOn := func() bool {
		image, err := b.client().Image(t.Context(), "jobs")
		return err == nil && image.Tracks[0].Current.Hosts[0].State == "warm"
	}
	holds := func(ref string) bool {
		return docker(t, h, "images", "--no-trunc", "-q", "--filter", "reference="+ref) != ""
	}
	t.Run("a plain prune and a foreign untag do no harm", func(t *testing.T) {
		docker(t, h, "tag", repository+"@"+digest, repository+":latest")
		docker(t, h, "rmi", repository+":latest")
		docker(t, h, "image", "prune", "-f")
		docker(t, h, "image", "inspect", repository+"@"+digest)
	})
	t.Run("a removed image is warmed again", func(t *testing.T) {
		ids := docker(t, h, "images", "-q", keepTag)
		begin := time.Now()
		docker(t, h, "rmi", "-f", ids)
		await(t, "warm again", func() bool { return holds(keepTag) && warmOn() })
		mended(t, begin)
		docker(t, h, "image", "inspect", repository+"@"+digest)
	})
	t.Run("a removed keep-tag is put back", func(t *testing.T) {
		docker(t, h, "tag", keepTag, repository+":latest")
		begin := time.Now()
		docker(t, h, "rmi", keepTag)
		await(t, "the keep-tag is back", func() bool { return holds(keepTag) })
		mended(t, begin)
	})
	t.Run("it is counted", func(t *testing.T) {
		hosts, err := b.client().Hosts(t.Context())
		if err != nil || hosts.Hosts[0].Drift.Total < 2 {
			t.Errorf("%v, %+v", err, hosts.Hosts[0].Drift)
		}
		if status := b.mustCLI("status"); !strings.Contains(status, "drift") {
			t.Errorf("status does not tell of it:\n%s", status)
		}
	})
}

// mended wants drift to have been noticed by an event. It takes two seconds at
// most on a machine that has time. Without an event the look that is taken once a
// minute might mend one in less than this, but not the next one, too.
func mended(t *testing.T, since time.Time) {
	t.Helper()
	took := time.Since(since)
	t.Logf("mended after %s", took.Round(time.Millisecond))
	if took > 25*time.Second {
		t.Errorf("no event told of it: it took %s", took)
	}
}
