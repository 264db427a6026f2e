package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
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
	s.request(http.MethodPost, "/v1/runs", `{"image":"jobs"}`).problem(http.StatusConflict, problem.NoCurrent)
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
	s.await(func() bool { return s.hosts["a"].Pulls(next) > 0 && s.hosts["b"].Pulls(next) > 0 })
	for _, body := range []string{"", "{}", `{"hosts":["a"]}`, `{"hosts":["a","b"]}`} {
		before := s.hosts["a"].Pulls(next)
		r := s.request(http.MethodPost, "/v1/images/jobs/warm", body)
		var asked api.WarmResult
		r.into(&asked)
		if r.status != http.StatusAccepted || asked.Digest != string(next.Digest()) {
			t.Errorf("%s: %d %+v", body, r.status, asked)
		}
		s.await(func() bool { return s.hosts["a"].Pulls(next) > before })
	}
	s.request(http.MethodPost, "/v1/images/jobs/warm", `{"hosts":["nope"]}`).problem(http.StatusNotFound, problem.HostNotManaged)
	s.request(http.MethodPost, "/v1/images/archive/warm", `{"hosts":["b"]}`).problem(http.StatusConflict, problem.HostNotSelected)
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	s.submit("sleep", "1h")
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
	if b.Name != "b" || b.Reason == "" || b.Since.IsZero() {
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

func TestARunFromSubmitToItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pin := s.push(1)
	r := s.request(http.MethodPost, "/v1/runs",
		`{"image":"jobs","command":["env"],"env":["A=b"],"network":"none","user":"1:2","workdir":"/tmp","memory":67108864,"cpus":1.5,"wait_warm":"5m"}`)
	var run api.Run
	r.into(&run)
	if r.status != http.StatusCreated || run.Pin != pin.String() || run.Image != "jobs" || run.Asked != "jobs" || run.SubmittedAt.IsZero() {
		t.Fatalf("%d %+v", r.status, run)
	}
	ended := s.end(run.ID)
	if ended.State != "succeeded" || ended.ExitCode == nil || *ended.ExitCode != 0 || ended.Host == "" || ended.ContainerID == "" ||
		ended.PlacedAt == nil || ended.StartedAt == nil || ended.FirstLineAt == nil || ended.EndedAt == nil {
		t.Errorf("%+v", ended)
	}
	var again api.Run
	s.request(http.MethodGet, "/v1/runs/"+run.ID, "").into(&again)
	if again.ID != run.ID || again.State != "succeeded" || !again.EndedAt.Truncate(time.Microsecond).Equal(ended.EndedAt.Truncate(time.Microsecond)) {
		t.Errorf("%+v", again)
	}
	if log := string(s.request(http.MethodGet, "/v1/runs/"+run.ID+"/logs", "").body); !strings.Contains(log, `"text":"A=b"`) {
		t.Errorf("log: %s", log)
	}

	failed := s.end(s.submit("exit", "3").ID)
	if failed.State != "failed" || failed.ExitCode == nil || *failed.ExitCode != 3 {
		t.Errorf("%+v", failed)
	}
	s.request(http.MethodPost, "/v1/runs", `{"image":"jobs","entrypoint":["/no/such/program"]}`).into(&run)
	refused := s.end(run.ID)
	if refused.State != "refused" || refused.Reason != "start_failed" || refused.ExitCode != nil || refused.Detail == "" {
		t.Errorf("%+v", refused)
	}
	var runs api.Runs
	s.request(http.MethodGet, "/v1/runs?limit=2", "").into(&runs)
	if len(runs.Runs) != 2 || runs.Runs[0].ID != refused.ID || runs.Runs[1].ID != failed.ID {
		t.Errorf("not the two newest, newest first: %+v", runs)
	}
}

func TestCancelARun(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	run := s.submit("sleep", "1h")
	s.await(func() bool {
		s.request(http.MethodGet, "/v1/runs/"+run.ID, "").into(&run)
		return run.State == "running"
	})
	begun := time.Now()
	s.request(http.MethodGet, "/v1/runs/"+run.ID+"/wait?timeout=1", "").into(&run)
	if took := time.Since(begun); run.Ended || took < time.Second || took > 5*time.Second {
		t.Errorf("a wait of a second took %s and answered %s", took, run.State)
	}
	for range 2 { // once more is no mistake
		if r := s.request(http.MethodPost, "/v1/runs/"+run.ID+"/cancel", ""); r.status != http.StatusAccepted {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if ended := s.end(run.ID); ended.State != "canceled" {
		t.Errorf("%+v", ended)
	}
	var late api.Run
	s.request(http.MethodPost, "/v1/runs/"+run.ID+"/cancel", "").into(&late)
	if late.State != "canceled" {
		t.Errorf("%+v", late)
	}
}

func TestAFullQueueSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	submit := func() *response {
		return s.request(http.MethodPost, "/v1/runs", `{"image":"jobs","wait_warm":"1h"}`)
	}
	submit().into(new(api.Run))
	r := submit()
	if p := r.problem(http.StatusTooManyRequests, problem.QueueFull); p.RetryAfter != 10 || r.header.Get("Retry-After") != "10" || p.Mend == "" {
		t.Errorf("%+v %v", p, r.header)
	}
}

func TestAStoppingServerSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	run := s.submit("sleep", "1h")
	stopped := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { stopped <- s.stop() })
	s.request(http.MethodGet, "/v1/runs/"+run.ID+"/wait?timeout=60", "").problem(http.StatusServiceUnavailable, problem.Stopping)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}
