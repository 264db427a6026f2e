package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func TestWhichDigestsAreCompared(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const path = "/v1/images/jobs/diff"
	s.request(http.MethodGet, path, "").problem(http.StatusConflict, problem.NoCurrent)
	first := s.push(1)
	s.request(http.MethodGet, path, "").problem(http.StatusNotFound, problem.RolloutNotFound)
	second := s.push(2)
	third := dockertest.Pin(repository, 3)
	never := "sha256:" + strings.Repeat("9", 64)
	compare := func(query string) (a, b string) {
		t.Helper()
		var d api.Diff
		s.request(http.MethodGet, query, "").into(&d)
		return d.A.Digest, d.B.Digest
	}
	expect := func(query string, a, b registry.Digest) {
		t.Helper()
		if gotA, gotB := compare(query); gotA != string(a) || gotB != string(b) {
			t.Errorf("%s: %s with %s, want %s with %s", query, gotA, gotB, a, b)
		}
	}
	expect(path, second.Digest(), first.Digest())
	s.hosts["a"].HoldPulls()
	s.hosts["b"].HoldPulls()
	s.show(3)
	s.check("jobs")
	expect(path, second.Digest(), third.Digest()) // what comes goes before what was
	expect("/v1/images/jobs:latest/diff", second.Digest(), third.Digest())
	expect(path+"?a="+string(first.Digest()), first.Digest(), second.Digest())
	expect(path+"?b="+first.Digest().Hex(), second.Digest(), first.Digest())
	expect(path+"?a="+never+"&b="+string(third.Digest()), registry.Digest(never), third.Digest())
	s.request(http.MethodGet, path+"?a=123456", "").problem(http.StatusNotFound, problem.RolloutNotFound)
	s.request(http.MethodGet, path+"?a=sha256:0000", "").problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
	s.request(http.MethodGet, "/v1/images/jobs:nope/diff", "").problem(http.StatusNotFound, problem.ImageNotManaged)
	s.request(http.MethodGet, "/v1/images/jobz/diff", "").problem(http.StatusNotFound, problem.ImageNotManaged)
	s.hosts["a"].ReleasePulls()
	s.hosts["b"].ReleasePulls()
}

// described is a domain with two digests, whose images are what it says.
type described struct {
	stubImages
	a, b registry.Image
}

func (d described) pin(i registry.Image) registry.Pin {
	return registry.NewPin(dockertest.Pin(repository, 0).Repository(), i.Digest)
}

func (d described) Image(string) (warmer.ImageStatus, error) {
	track := warmer.TrackStatus{Track: warmer.Track{ID: warmer.TrackID{Image: "jobs", Tag: "latest"}}}
	track.Current = &warmer.RolloutStatus{
		Rollout: warmer.Rollout{Pin: d.pin(d.a)}, Hosts: []warmer.HostCopy{{Host: "a"}, {Host: "b", Platform: amd64}},
	}
	return warmer.ImageStatus{Entry: warmer.Entry{Image: "jobs", Repository: dockertest.Pin(repository, 0).Repository()}, Tracks: []warmer.TrackStatus{track}}, nil
}

func (d described) History(context.Context, string, int) ([]warmer.Rollout, []warmer.Act, error) {
	id := warmer.TrackID{Image: "jobs", Tag: "latest"}
	return []warmer.Rollout{{Track: id, Pin: d.pin(d.b), Phase: warmer.Held}, {Track: id, Pin: d.pin(d.a), Phase: warmer.Current}}, nil, nil
}

func (d described) Describe(_ context.Context, pin registry.Pin, platform registry.Platform) (registry.Image, error) {
	image := d.a
	if pin.Digest() == d.b.Digest {
		image = d.b
	}
	image.Pin, image.Platform = pin, platform
	return image, nil
}

func digestOf(digit string) registry.Digest {
	return registry.Digest("sha256:" + strings.Repeat(digit, 64))
}

func layer(digit string, bytes int64, by string) registry.ImageLayer {
	return registry.ImageLayer{Layer: registry.Layer{Digest: digestOf(digit), Bytes: bytes}, CreatedBy: by}
}

func TestWhatDiffers(t *testing.T) {
	t.Parallel()
	d := described{
		a: registry.Image{
			Digest: digestOf("a"), User: "node", WorkDir: "/srv", Entrypoint: []string{"node", "a b"}, Command: []string{"run"},
			Env: []string{"PATH=/bin", "MODE=test", "GONE=", "SAME=1"}, Labels: map[string]string{"rev": "1", "old": "x"},
			Layers: []registry.ImageLayer{layer("1", 100, "FROM"), layer("2", 20, "COPY old"), layer("2", 20, "COPY old")},
		},
		b: registry.Image{
			Digest: digestOf("b"), WorkDir: "/srv", Entrypoint: []string{"node", "a", "b"}, Command: []string{"run"},
			Env: []string{"PATH=/usr/bin", "SAME=1", "EMPTY="}, Labels: map[string]string{"rev": "2"}, Ports: []string{"80/tcp"},
			Layers: []registry.ImageLayer{layer("1", 100, "FROM"), layer("3", 30, "COPY new"), layer("3", 30, "COPY new")}, Created: time.Unix(1, 0).UTC(),
		},
	}
	url, _ := serve(t, server.Options{Images: d, Runs: stub{}, Registry: d})
	var got api.Diff
	call(t, clientOf(t, url), http.MethodGet, url+"/v1/images/jobs/diff", "").into(&got)
	text := func(s string) *string { return &s }
	created := time.Unix(1, 0).UTC()
	want := api.Diff{
		Image: "jobs", Platform: "linux/amd64", TransferBytes: 30,
		A: api.Side{Digest: string(digestOf("a")), PlatformDigest: string(digestOf("a")), Bytes: 120},
		B: api.Side{Digest: string(digestOf("b")), PlatformDigest: string(digestOf("b")), Bytes: 130, CreatedAt: &created},
		Layers: []api.DiffLayer{
			{Digest: string(digestOf("1")), Bytes: 100, In: "both", CreatedBy: "FROM"},
			{Digest: string(digestOf("3")), Bytes: 30, In: "b", CreatedBy: "COPY new"},
			{Digest: string(digestOf("2")), Bytes: 20, In: "a", CreatedBy: "COPY old"},
		},
		Changes: []api.DiffChange{
			{Field: "env", Name: "EMPTY", B: text("")},
			{Field: "env", Name: "GONE", A: text("")},
			{Field: "env", Name: "MODE", A: text("test")},
			{Field: "env", Name: "PATH", A: text("/bin"), B: text("/usr/bin")},
			{Field: "entrypoint", A: text(`["node", "a b"]`), B: text(`["node", "a", "b"]`)},
			{Field: "user", A: text("node")},
			{Field: "labels", Name: "old", A: text("x")},
			{Field: "labels", Name: "rev", A: text("1"), B: text("2")},
			{Field: "ports", Name: "80/tcp", B: text("exposed")},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	call(t, clientOf(t, url), http.MethodGet, url+"/v1/images/jobs/diff?a=sha256:bb&b="+string(digestOf("b")), "").into(&got)
	if len(got.Changes) != 0 || got.TransferBytes != 0 || got.A.Digest != string(digestOf("b")) {
		t.Errorf("a digest differs from itself: %+v", got)
	}
}
