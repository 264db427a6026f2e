package registry

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/amd64", 3)
	config := must(img.ConfigFile())(t).DeepCopy()
	created := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	config.Created = v1.Time{Time: created}
	config.Config = v1.Config{
		User: "app", WorkingDir: "/srv", Env: []string{"PATH=/bin", "MODE=job"},
		Entrypoint: []string{"/init"}, Cmd: []string{"run", "all"}, Labels: map[string]string{"team": "etl"},
		ExposedPorts: map[string]struct{}{"9000/udp": {}, "8080/tcp": {}},
	}
	config.History = []v1.History{{CreatedBy: "ADD base"}, {CreatedBy: "ENV MODE=job", EmptyLayer: true}, {CreatedBy: "COPY a"}, {CreatedBy: "COPY b"}}
	img = must(mutate.ConfigFile(img, config))(t)
	digest := f.push(t, "etl/node", "latest", img)
	pin := mustPin(t, f.host()+"/etl/node@"+string(digest))
	c := testClient(t, anonymous(f))

	want := Image{
		Pin: pin, Platform: amd64, Digest: digest, Created: created, User: "app", WorkDir: "/srv",
		Env: []string{"PATH=/bin", "MODE=job"}, Entrypoint: []string{"/init"}, Command: []string{"run", "all"},
		Labels: map[string]string{"team": "etl"}, Ports: []string{"8080/tcp", "9000/udp"},
	}
	steps := []string{"ADD base", "COPY a", "COPY b"}
	for i, l := range must(img.Manifest())(t).Layers {
		layer := ImageLayer{Layer: Layer{Digest: Digest(l.Digest.String()), Bytes: l.Size}, CreatedBy: steps[i]}
		want.Layers = append(want.Layers, layer)
	}
	samePin := cmp.Comparer(func(a, b Pin) bool { return a == b })
	for _, p := range []Platform{{}, amd64} {
		got := must(c.Describe(t.Context(), pin, p))(t)
		if diff := cmp.Diff(want, got, samePin); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p, diff)
		}
	}
	_, err := c.Describe(t.Context(), pin, arm64)
	check(t, err, problem.PlatformMissing, "describe "+pin.String(), "no image for linux/arm64, only for linux/amd64")
	_, err = c.Describe(t.Context(), Pin{}, amd64)
	check(t, err, problem.InvalidRequest, "no pin")
}

func TestDescribeChoosesAPlatform(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	pinOf := func(tag string, platforms ...string) Pin {
		digest := f.pushIndex(t, "etl/node", tag, testIndex(t, f, "etl/node", platforms...))
		return mustPin(t, f.host()+"/etl/node@"+string(digest))
	}
	mixed := pinOf("mixed", "linux/arm64", "linux/amd64", "linux/arm/v7", "unknown/unknown")
	arm := pinOf("arm", "linux/arm/v7", "linux/arm64")
	for _, tc := range []struct {
		pin       Pin
		ask, want string
	}{
		{mixed, "", "linux/amd64"},
		{mixed, "linux/arm64", "linux/arm64"},
		{mixed, "linux/arm/v8", "linux/arm/v7"},
		{arm, "", "linux/arm/v7"},
	} {
		var ask Platform
		if tc.ask != "" {
			ask = platformOf(*must(v1.ParsePlatform(tc.ask))(t))
		}
		got := must(c.Describe(t.Context(), tc.pin, ask))(t)
		if got.Platform.String() != tc.want || len(got.Layers) != 2 || got.Digest == tc.pin.Digest() {
			t.Errorf("%q: %s with %d layers, want %s with 2", tc.ask, got.Platform, len(got.Layers), tc.want)
		}
	}
	_, err := c.Describe(t.Context(), arm, amd64)
	check(t, err, problem.PlatformMissing, "only for linux/arm/v7, linux/arm64")
}

// A history that was rewritten names no layer, rather than the wrong one.
func TestHistoryThatDoesNotMatch(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/amd64", 2)
	config := must(img.ConfigFile())(t).DeepCopy()
	config.History = []v1.History{{CreatedBy: "squashed"}}
	digest := f.push(t, "etl/node", "latest", must(mutate.ConfigFile(img, config))(t))
	got := must(testClient(t, anonymous(f)).Describe(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(digest)), Platform{}))(t)
	for _, l := range got.Layers {
		if l.CreatedBy != "" {
			t.Errorf("layer %s is said to be made by %q", l.Digest, l.CreatedBy)
		}
	}
	if len(got.Layers) != 2 {
		t.Errorf("%d layers, want 2", len(got.Layers))
	}
}
