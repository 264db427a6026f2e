//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// addRegistry adds a registry of the test's own to the shared fleet.
func addRegistry(t *testing.T, o fleet.RegistryOptions) *fleet.Registry {
	t.Helper()
	r, err := shared.AddRegistry(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A private registry: what it is asked, and what it can do without harm.
func TestARegistryWithTokens(t *testing.T) {
	t.Parallel()
	const life = 10 * time.Second // a fifth of it is left at a renewal: time enough for a look
	r := addRegistry(t, fleet.RegistryOptions{Name: "tokens", TLS: true, Accounts: map[string]string{"ci": "s3cret"}, Tokens: life})
	digest := pushTo(t, r, "etl/jobs:latest", fleet.ProgramImage("one"))
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Registries = []string{prewarmtest.Registry(r)}
	setup.Images = []string{"{name: jobs, repository: " + r.Addr + "/etl/jobs, watch: '@every 1s'}"}
	b := newBenchOf(t, setup)
	b.allWarm(digest)

	t.Run("a quiet look is one HEAD", func(t *testing.T) {
		begin := time.Now()
		r.Gate.Reset()
		await(t, "looks for a token's life", func() bool { return r.Gate.Counts().ManifestHead >= 12 })
		seen := r.Gate.Counts()
		took := time.Since(begin)
		// Looks are a second apart, moved by a tenth of it at most; the first may
		// have been under way.
		if looks := int(took/(900*time.Millisecond)) + 2; seen.ManifestHead > looks {
			t.Errorf("%d HEADs in %s", seen.ManifestHead, took)
		}
		// A token is renewed at four fifths of its life.
		if most := int(took/(life*3/4)) + 1; seen.Token < 1 || seen.Token > most {
			t.Errorf("%d tokens in %s", seen.Token, took)
		}
		if rest := seen.Requests() - seen.ManifestHead - seen.Token; rest != 0 || seen.Refused != 0 {
			t.Errorf("asked for more than that: %+v", seen)
		}
	})
	t.Run("a registry that fails for a while", func(t *testing.T) {
		r.Gate.Fail(http.StatusServiceUnavailable, nil)
		defer r.Gate.Fail(0, nil)
		b.awaitCheckError("503")
		b.stillRuns("one", "503")
	})
	b.awaitChecked()
	t.Run("a tag that is gone", func(t *testing.T) {
		if err := r.Untag("etl/jobs:latest"); err != nil {
			t.Fatal(err)
		}
		b.awaitCheckError(r.Addr + "/etl/jobs:latest")
		b.stillRuns("one", "etl/jobs:latest")
		if b.current() != digest {
			t.Errorf("current is %s", b.current())
		}
		if err := r.Tag(t.Context(), "etl/jobs@"+digest, "latest"); err != nil {
			t.Fatal(err)
		}
		b.awaitChecked()
	})
	t.Run("a registry that wants to be left alone", func(t *testing.T) {
		r.Gate.Fail(http.StatusTooManyRequests, http.Header{"Retry-After": {"5"}})
		b.awaitCheckError("left alone")
		r.Gate.Reset()
		time.Sleep(5 * time.Second)
		b.cli("check", "jobs").expect(t, 1, "left alone")
		if n := r.Gate.Counts().Requests(); n != 0 {
			t.Errorf("it was asked %d times", n)
		}
		b.stillRuns("one", "left alone")
	})
	if log := b.log.String(); strings.Contains(log, "s3cret") {
		t.Error("the password is in the log")
	}
}

// awaitCheckError waits until the last look at jobs failed for that reason.
func (b *bench) awaitCheckError(why string) {
	b.t.Helper()
	await(b.t, "a look fails: "+why, func() bool {
		image, err := b.client().Image(b.t.Context(), "jobs")
		return err == nil && strings.Contains(image.Tracks[0].CheckError, why)
	})
}

// awaitChecked waits until the last look at jobs succeeded.
func (b *bench) awaitChecked() {
	b.t.Helper()
	await(b.t, "a look succeeds", func() bool {
		image, err := b.client().Image(b.t.Context(), "jobs")
		return err == nil && image.Tracks[0].CheckError == ""
	})
}

// stillRuns wants what is warm to run, and the reason that nothing newer comes
// in the table.
func (b *bench) stillRuns(version, why string) {
	b.t.Helper()
	if out := b.mustCLI("run", "jobs", "--", "version"); out != version+"\n" {
		b.t.Errorf("ran %q", out)
	}
	if status := b.mustCLI("status"); !strings.Contains(status, why) {
		b.t.Errorf("status does not say %q:\n%s", why, status)
	}
}
