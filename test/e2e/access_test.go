//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// One fleet of engines that are reached in three ways. What is renewed or falls
// over on the way is found again without a restart of the server.
func TestThreeWaysToReachAnEngine(t *testing.T) {
	t.Parallel()
	f, repo := ownFleet(t, fleet.HostOptions{}, fleet.HostOptions{TLS: fleet.MutualTLS}, fleet.HostOptions{SSH: true}), repo(t)
	secure, far := f.Hosts[1], f.Hosts[2]
	first := pushTo(t, f.Registry, repo+":latest", fleet.ProgramImage("one"))
	pushTo(t, f.Registry, repo+":far", fleet.ProgramImage("far"))
	repository := f.Registry.Addr + "/" + repo
	b := newBenchOn(t, f, "{name: jobs, repository: "+repository+", watch: '@every 1s'}",
		"{name: far, repository: "+repository+", track: {tag: far}, hosts: {host: "+far.Name+"}}")
	b.allWarm(first)
	second := pushTo(t, f.Registry, repo+":latest", fleet.ProgramImage("two"))
	b.allWarm(second)
	b.eachRuns(f.Hosts...)

	t.Run("labels choose hosts", func(t *testing.T) {
		run, out := b.submit(api.SubmitRun{Image: "far", Command: []string{"version"}, WaitWarm: api.Duration(time.Minute)})
		if out != "far\n" || run.Host != far.Name {
			t.Errorf("%s printed %q", run.Host, out)
		}
		if image, err := b.client().Image(t.Context(), "far"); err != nil || len(image.Tracks[0].Current.Hosts) != 1 {
			t.Errorf("%v, on %+v", err, image.Tracks[0].Current.Hosts)
		}
	})
	t.Run("connections by ssh that end", func(t *testing.T) {
		if err := far.SSH.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := far.SSH.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "all hosts are reachable", func() bool {
			hosts, err := b.client().Hosts(t.Context())
			return err == nil && !slices.ContainsFunc(hosts.Hosts, func(h api.Host) bool { return h.Contact != "reachable" })
		})
		b.eachRuns(f.Hosts...)
	})
	t.Run("a client certificate that is renewed late", func(t *testing.T) {
		if err := secure.RenewClient(0); err != nil { // expired already
			t.Fatal(err)
		}
		if err := secure.Kill(); err != nil { // connections of before are still good
			t.Fatal(err)
		}
		if err := secure.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "the certificate is blamed", func() bool {
			hosts, err := b.client().Hosts(t.Context())
			return err == nil && hosts.Hosts[1].Contact == "unreachable" && strings.Contains(hosts.Hosts[1].Reason, "certificate")
		})
		if err := secure.RenewClient(time.Hour); err != nil {
			t.Fatal(err)
		}
		b.awaitState(secure.Name, "warm")
		b.eachRuns(f.Hosts...)
	})
}
