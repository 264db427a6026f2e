package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

var amd64 = registry.Platform{OS: "linux", Architecture: "amd64"}

// image reads an image.
func (s *scene) image(name string) api.Image {
	s.t.Helper()
	var image api.Image
	s.request(http.MethodGet, "/v1/images/"+name, "").into(&image)
	return image
}

// show lets the tags show digest n, which every host can pull.
func (s *scene) show(n int) registry.Pin {
	pin := dockertest.Pin(repository, n)
	for _, h := range s.hosts {
		h.Push(pin, amd64, []int64{100, int64(1000 + n)})
	}
	s.tags.set(pin, nil)
	return pin
}

// check has the server look at an image's tags.
func (s *scene) check(name string) {
	s.t.Helper()
	s.request(http.MethodPost, "/v1/images/"+name+"/check", "").into(new(api.CheckResult))
}

// becomes waits until a digest is an image's current one.
func (s *scene) becomes(name string, pin registry.Pin) {
	s.t.Helper()
	s.await(func() bool {
		current := s.image(name).Tracks[0].Current
		return current != nil && current.Pin == pin.String()
	})
}

func TestAHeldDigestSaysWhyAndPassesWhenApproved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pin := s.show(1)
	var checked api.CheckResult
	s.request(http.MethodPost, "/v1/images/guarded/check", "").into(&checked)
	if c := checked.Tracks[0]; !c.New || strings.Join(c.Holds, " ") != "approval cooldown" {
		t.Errorf("%+v", c)
	}
	image := s.image("guarded")
	held := image.Tracks[0].Held
	if len(held) != 1 || held[0].Phase != "held" || strings.Join(held[0].Holds, " ") != "approval cooldown" || held[0].HeldUntil == nil || held[0].Origin != "tag" {
		t.Fatalf("%+v", image)
	}
	if !image.Policy.Approve || image.Policy.CooldownSeconds != 3600 || image.Policy.PromotePercent != 100 {
		t.Errorf("%+v", image.Policy)
	}
	if b := held[0].Build; b == nil || b.Revision != "c0ffee" || b.Source == "" || b.CreatedAt == nil {
		t.Errorf("%+v", b)
	}
	var said api.Decision
	s.request(http.MethodPost, "/v1/images/guarded:v2/approve", `{"digest":"`+pin.Digest().Short()+`","by":"ada@laptop"}`).into(&said)
	if said.Image != "guarded" || said.Rollout.Digest != string(pin.Digest()) || said.Rollout.Trust.ApprovedBy != "ada@laptop" || said.Rollout.Trust.ApprovedAt == nil {
		t.Errorf("%+v", said)
	}
	s.becomes("guarded", pin)
	p := s.request(http.MethodPost, "/v1/images/guarded/approve", `{"digest":"ffff"}`).problem(http.StatusNotFound, problem.RolloutNotFound)
	if p.Mend == "" {
		t.Errorf("%+v", p)
	}
	s.request(http.MethodPost, "/v1/images/guarded/approve", `{"by":"ada"}`).problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
}

func TestAFailedVerificationCanNotBeApproved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	pin := s.show(1)
	s.check("verified")
	var held []api.Rollout
	s.await(func() bool {
		held = s.image("verified").Tracks[0].Held
		return len(held) == 1 && held[0].Trust.Verdict != nil
	})
	if v := held[0].Trust.Verdict; v.OK || v.ExitCode != 3 || v.Output != "no signature" || v.Seconds != 1 {
		t.Errorf("%+v", v)
	}
	s.request(http.MethodPost, "/v1/images/verified/approve", `{"digest":"`+string(pin.Digest())+`"}`).problem(http.StatusConflict, problem.NotVerified)
}

func TestARollbackIsAtOnceAndTellsWhatItLeft(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.request(http.MethodPost, "/v1/images/jobs/rollback", "").problem(http.StatusConflict, problem.NoCurrent)
	first := s.push(1)
	s.request(http.MethodPost, "/v1/images/jobs/rollback", "").problem(http.StatusNotFound, problem.RolloutNotFound)
	second := s.push(2)
	var said api.Decision
	s.request(http.MethodPost, "/v1/images/jobs/rollback", `{"by":"ada"}`).into(&said)
	r := said.Rollout
	if r.Digest != string(first.Digest()) || r.Phase != "current" || r.PromotedBy != "ada" || r.Origin != "rollback" || said.Left != string(second.Digest()) {
		t.Errorf("%+v", said)
	}
	if len(r.Hosts) != 2 || r.Hosts[0].State != "warm" {
		t.Errorf("%+v", r.Hosts)
	}
	s.becomes("jobs", first)

	var history api.History
	s.request(http.MethodGet, "/v1/images/jobs/history", "").into(&history)
	var phases []string
	for _, r := range history.Rollouts {
		phases = append(phases, r.Phase)
	}
	if strings.Join(phases, " ") != "current rejected superseded" || history.Rollouts[1].EndedAt == nil || history.Rollouts[1].Tag != "latest" {
		t.Errorf("%+v", history.Rollouts)
	}
	if len(history.Acts) != 1 || history.Acts[0].Verb != "rollback" || history.Acts[0].By != "ada" || history.Acts[0].Digest != string(first.Digest()) {
		t.Errorf("%+v", history.Acts)
	}
	s.request(http.MethodGet, "/v1/images/jobs/history?limit=1", "").into(&history)
	if len(history.Rollouts) != 1 {
		t.Errorf("%d rollouts", len(history.Rollouts))
	}
	s.request(http.MethodGet, "/v1/images/jobs/history?limit=0", "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)

	s.request(http.MethodPost, "/v1/images/jobs:latest/rollback", `{"digest":"`+string(second.Digest())+`"}`).problem(http.StatusNotFound, problem.RolloutNotFound)
	s.request(http.MethodPost, "/v1/images/jobs:nope/rollback", "").problem(http.StatusNotFound, problem.ImageNotManaged)
}

func TestAHoldStopsPromotionsUntilItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.push(1)
	var image api.Image
	s.request(http.MethodPost, "/v1/images/jobs/hold", `{"by":"ada"}`).into(&image)
	if image.HeldAt == nil || image.HeldBy != "ada" {
		t.Errorf("%+v", image)
	}
	second := s.show(2)
	s.check("jobs")
	s.await(func() bool {
		coming := s.image("jobs").Tracks[0].Coming
		return len(coming) == 1 && coming[0].Hosts[0].State == "warm" && coming[0].Hosts[1].State == "warm"
	})
	if current := s.image("jobs").Tracks[0].Current; current.Pin != first.String() {
		t.Errorf("promoted in spite of the hold: %+v", current)
	}
	var freed api.Image
	s.request(http.MethodPost, "/v1/images/jobs/unhold", "").into(&freed)
	if freed.HeldAt != nil {
		t.Errorf("%+v", freed)
	}
	s.becomes("jobs", second)
}

func TestTheTagsOfASelection(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.tags.list("1.4.0", "1.4.1", "1.4.2", "latest")
	pin := s.show(1)
	s.check("chosen")
	s.becomes("chosen", pin)
	image := s.image("chosen")
	if t1 := image.Tracking; t1.Mode != "select" || strings.Join(t1.Chosen, " ") != "1.4.2 1.4.1" || t1.ListedAt == nil || t1.Select.Newest != 2 || t1.Select.Order != "semver" {
		t.Errorf("%+v", t1)
	}
	if len(image.Tracks) != 2 || image.Tracks[0].Tag != "1.4.2" || image.Tracks[1].Tag != "1.4.1" {
		t.Errorf("%+v", image.Tracks)
	}
	// Every look fails now: that of the list and those of two tags.
	s.tags.set(registry.Pin{}, problem.New(problem.RegistryUnavailable, "no registry", "start it"))
	p := s.request(http.MethodPost, "/v1/images/chosen/check", "").problem(http.StatusBadGateway, problem.RegistryUnavailable)
	if p.Detail != "3 of 3 looks at chosen failed: no registry; no registry; no registry" || p.Mend != "start it" {
		t.Errorf("%+v", p)
	}
	if image := s.image("chosen"); image.Tracking.ListError != "no registry" || len(image.Tracks) != 2 {
		t.Errorf("%+v", image)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	paused := func(method, path, body string) []api.Pause {
		t.Helper()
		var all api.Pauses
		s.request(method, path, body).into(&all)
		return all.Pauses
	}
	if all := paused(http.MethodGet, "/v1/pauses", ""); all == nil || len(all) != 0 {
		t.Errorf("%+v", all)
	}
	paused(http.MethodPost, "/v1/pause", `{"what":"warming","host":"b","by":"ada"}`)
	all := paused(http.MethodPost, "/v1/pause", `{"what":"watching"}`)
	if len(all) != 2 || all[0].Host != "" || all[1].Host != "b" || all[1].By != "ada" || all[1].Since.IsZero() {
		t.Errorf("%+v", all)
	}
	var hosts api.Hosts
	s.request(http.MethodGet, "/v1/hosts", "").into(&hosts)
	if hosts.Hosts[0].Paused || !hosts.Hosts[1].Paused {
		t.Errorf("%+v", hosts)
	}
	if all := paused(http.MethodPost, "/v1/resume", `{"what":"warming","host":"b"}`); len(all) != 1 || all[0].What != "watching" {
		t.Errorf("%+v", all)
	}
	s.request(http.MethodPost, "/v1/pause", `{"what":"warming","host":"z"}`).problem(http.StatusNotFound, problem.HostNotManaged)
	for _, body := range []string{`{"what":"watching","host":"a"}`, `{"what":"sleeping"}`, `{}`} {
		s.request(http.MethodPost, "/v1/pause", body).problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	}
}
