package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		var health api.Health
		s.request(http.MethodGet, path, "").into(&health)
		if health.Status != "ok" || health.Version != "test" {
			t.Errorf("%s: %+v", path, health)
		}
	}
}

func TestImagesBeforeAnythingWasSeen(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r := s.request(http.MethodGet, "/v1/images", "")
	if strings.Contains(string(r.body), "null") {
		t.Errorf("an empty list is told as null: %s", r.body)
	}
	var images api.Images
	r.into(&images)
	if len(images.Images) != 5 || images.Images[0].Name != "jobs" || images.Images[0].Repository != repository {
		t.Fatalf("%+v", images)
	}
	if track := images.Images[0].Tracks[0]; track.Tag != "latest" || track.Current != nil || track.CheckedAt != nil {
		t.Errorf("%+v", track)
	}
	s.request(http.MethodPost, "/v1/images/jobs/warm", "").problem(http.StatusConflict, problem.NoCurrent)
}

func TestADigestOnItsWay(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pin := s.push(1)
	var image api.Image
	s.request(http.MethodGet, "/v1/images/jobs", "").into(&image)
	current := image.Tracks[0].Current
	if current.Digest != string(pin.Digest()) || current.Phase != "current" || current.PromotedAt == nil || len(current.Hosts) != 2 {
		t.Fatalf("%+v", current)
	}
	for _, h := range current.Hosts {
		if h.State != "warm" || h.Platform != "linux/amd64" || h.PlatformDigest != current.Digest || h.Bytes == 0 {
			t.Errorf("%+v", h)
		}
	}

	s.hosts["b"].HoldPulls()
	next := dockertest.Pin(repository, 2)
	s.tags.set(next, nil)
	var checked api.CheckResult
	s.request(http.MethodPost, "/v1/images/jobs/check", "").into(&checked)
	if len(checked.Tracks) != 1 || !checked.Tracks[0].New || checked.Tracks[0].Pin != next.String() {
		t.Errorf("%+v", checked)
	}
	s.request(http.MethodPost, "/v1/images/jobs/check", "").into(&checked)
	if checked.Tracks[0].New {
		t.Error("the same digest is new again")
	}
	s.await(func() bool {
		s.request(http.MethodGet, "/v1/images/jobs", "").into(&image)
		coming := image.Tracks[0].Coming
		return len(coming) == 1 && coming[0].Hosts[0].State == "gone_upstream" && coming[0].Hosts[1].State == "pulling"
	})
	gone, pulling := image.Tracks[0].Coming[0].Hosts[0], image.Tracks[0].Coming[0].Hosts[1]
	if gone.Reason == "" || gone.NextTry == nil {
		t.Errorf("%+v", gone)
	}
	if pulling.Progress == nil || pulling.Progress.TotalBytes != 1000 {
		t.Errorf("%+v", pulling)
	}
	s.hosts["b"].ReleasePulls()
}

func TestWarmTriesAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	next := dockertest.Pin(repository, 2)
	s.tags.set(next, nil) // published nowhere: the pulls fail and back off
	s.request(http.MethodPost, "/v1/images/jobs/check", "").into(new(api.CheckResult))
	// A pull that is under way is no other try: what is asked for during it is that one.
	resting := func() bool {
		var image api.Image
		s.request(http.MethodGet, "/v1/images/jobs", "").into(&image)
		coming := image.Tracks[0].Coming
		return len(coming) == 1 && !slices.ContainsFunc(coming[0].Hosts, func(h api.HostCopy) bool { return h.NextTry == nil })
	}
	s.await(func() bool { return s.hosts["a"].Pulls(next) > 0 && s.hosts["b"].Pulls(next) > 0 && resting() })
	for _, body := range []string{"", "{}", `{"hosts":["a"]}`, `{"hosts":["a","b"]}`} {
		before := s.hosts["a"].Pulls(next)
		r := s.request(http.MethodPost, "/v1/images/jobs/warm", body)
		var asked api.WarmResult
		r.into(&asked)
		if r.status != http.StatusAccepted || asked.Digest != string(next.Digest()) {
			t.Errorf("%s: %d %+v", body, r.status, asked)
		}
		s.await(func() bool { return s.hosts["a"].Pulls(next) > before && resting() })
	}
	s.request(http.MethodPost, "/v1/images/jobs/warm", `{"hosts":["nope"]}`).problem(http.StatusNotFound, problem.HostNotManaged)
	s.request(http.MethodPost, "/v1/images/archive/warm", `{"hosts":["b"]}`).problem(http.StatusConflict, problem.HostNotSelected)
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	s.runs.hosts = map[string]runner.HostUse{"a": {InUse: 1, Slots: 4, Memory: 1 << 30, NanoCPUs: 1_500_000_000, Unclaimed: []string{"c0ffee"}}}
	s.hosts["a"].SetDisk(warmer.Disk{Free: 1 << 30, Total: 4 << 30})
	s.hosts["a"].SetClockOffset(1500 * time.Millisecond)
	s.hosts["b"].SetDown(true)
	var hosts api.Hosts
	s.await(func() bool {
		s.request(http.MethodGet, "/v1/hosts", "").into(&hosts)
		return len(hosts.Hosts) == 2 && hosts.Hosts[1].Contact == "unreachable" && hosts.Hosts[0].Disk != nil
	})
	a, b := hosts.Hosts[0], hosts.Hosts[1]
	if a.Name != "a" || a.Contact != "reachable" || a.Running != 1 || a.Runs != 4 || a.Pulls != 2 || a.Platform != "linux/amd64" || a.Engine == "" || a.Reason != "" {
		t.Errorf("%+v", a)
	}
	if *a.Disk != (api.Disk{Free: 1 << 30, Total: 4 << 30}) || a.ClockOffset != 1.5 || a.Drift.Total != 0 || a.Paused {
		t.Errorf("%+v", a)
	}
	if a.MemoryAsked != 1<<30 || a.CPUsAsked != 1.5 || !slices.Equal(a.Unclaimed, []string{"c0ffee"}) || a.Drained {
		t.Errorf("%+v", a)
	}
	if b.Name != "b" || b.Reason == "" || b.Since.IsZero() || b.Unclaimed == nil {
		t.Errorf("%+v", b)
	}
}

func TestWhatSomebodyElseRemovesIsCounted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pin := s.push(1)
	s.hosts["a"].Forget(pin)
	var hosts api.Hosts
	s.await(func() bool {
		s.request(http.MethodGet, "/v1/hosts", "").into(&hosts)
		return hosts.Hosts[0].Drift.Total > 0
	})
	if d := hosts.Hosts[0].Drift; d.LastHour == 0 || d.LastAt == nil {
		t.Errorf("%+v", d)
	}
}

func TestAHostIsDrainedUntilItIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	host := func(verb, body string) (h api.Host) {
		t.Helper()
		s.request(http.MethodPost, "/v1/hosts/b/"+verb, body).into(&h)
		return h
	}
	for range 2 { // once more is no mistake
		if h := host("drain", `{"by":"ada"}`); h.Name != "b" || !h.Drained {
			t.Errorf("%+v", h)
		}
	}
	var hosts api.Hosts
	s.request(http.MethodGet, "/v1/hosts", "").into(&hosts)
	if hosts.Hosts[0].Drained || !hosts.Hosts[1].Drained {
		t.Errorf("%+v", hosts)
	}
	var all api.Pauses
	s.request(http.MethodGet, "/v1/pauses", "").into(&all)
	if len(all.Pauses) != 1 || all.Pauses[0].What != "placing" || all.Pauses[0].Host != "b" || all.Pauses[0].By != "ada" {
		t.Errorf("%+v", all)
	}
	for range 2 {
		if h := host("undrain", ""); h.Drained {
			t.Errorf("%+v", h)
		}
	}
}
