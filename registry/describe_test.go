package registry

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/prewarm/prewarm/internal/problem"
)

var (
	amd64 = Platform{OS: "linux", Architecture: "amd64"}
	arm64 = Platform{OS: "linux", Architecture: "arm64"}
	armv7 = Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
)

// shape is a Manifest without its random digests.
func shape(m Manifest) map[string]int {
	s := map[string]int{}
	for _, c := range m.Children {
		s[c.Platform.String()] = len(c.Layers)
	}
	return s
}

func TestManifestOfAnIndex(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	idx := testIndex(t, f, "etl/node", "linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "unknown/unknown")
	digest := f.pushIndex(t, "etl/node", "latest", idx)
	c := testClient(t, anonymous(f))
	pin := mustPin(t, f.host()+"/etl/node@"+string(digest))
	for _, tc := range []struct {
		name      string
		platforms []Platform
		want      map[string]int // layers by platform
		manifests int
	}{
		{"no platform", nil, map[string]int{"linux/amd64": 0, "linux/arm64/v8": 0, "linux/arm/v6": 0, "linux/arm/v7": 0}, 1},
		{"one", []Platform{amd64}, map[string]int{"linux/amd64": 2, "linux/arm64/v8": 0, "linux/arm/v6": 0, "linux/arm/v7": 0}, 2},
		{"a mixed fleet", []Platform{arm64, armv7, amd64, arm64}, map[string]int{"linux/amd64": 2, "linux/arm64/v8": 2, "linux/arm/v6": 0, "linux/arm/v7": 2}, 4},
		{"one that it lacks", []Platform{{OS: "linux", Architecture: "s390x"}}, map[string]int{"linux/amd64": 0, "linux/arm64/v8": 0, "linux/arm/v6": 0, "linux/arm/v7": 0}, 1},
	} {
		f.requests()
		m := must(c.Manifest(t.Context(), pin, tc.platforms))(t)
		if diff := cmp.Diff(tc.want, shape(m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
		if m.Pin != pin {
			t.Errorf("%s: pin %s, want %s", tc.name, m.Pin, pin)
		}
		if got := count(f.requests(), "GET /v2/etl/node/manifests/"); got != tc.manifests {
			t.Errorf("%s: %d manifests were read, want %d", tc.name, got, tc.manifests)
		}
	}
}

func TestManifestOfAnIndexWithUnlistedPlatforms(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	idx := testIndex(t, f, "etl/node", "unlisted linux/arm64", "linux/amd64")
	digest := f.pushIndex(t, "etl/node", "latest", idx)
	c := testClient(t, anonymous(f))
	m := must(c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(digest)), []Platform{amd64}))(t)
	want := map[string]int{"linux/arm64": 2, "linux/amd64": 2} // read to learn its platform, so its layers are known
	if diff := cmp.Diff(want, shape(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManifestOfASingleImage(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/arm/v7", 3)
	twice := must(mutate.AppendLayers(img, must(img.Layers())(t)[0]))(t) // lists a layer a second time
	digest := f.push(t, "etl/node", "latest", twice)
	c := testClient(t, anonymous(f))
	pin := mustPin(t, f.host()+"/etl/node@"+string(digest))
	f.requests()
	m := must(c.Manifest(t.Context(), pin, nil))(t)

	want := Manifest{Pin: pin, Children: []Child{{Platform: armv7, Digest: digest}}}
	for _, l := range must(img.Manifest())(t).Layers {
		want.Children[0].Layers = append(want.Children[0].Layers, Layer{Digest: Digest(l.Digest.String()), Bytes: l.Size})
	}
	if diff := cmp.Diff(want, m, cmp.Comparer(func(a, b Pin) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := f.requests(); len(got) != 3 { // ping, manifest, configuration
		t.Errorf("requests: %v, want 3", got)
	}
}

// A registry, or a cache before it, that serves something else under a digest
// is found out.
func TestManifestIsHeldAgainstItsDigest(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	single := f.push(t, "etl/node", "single", testImage(t, "linux/amd64", 1))
	idx := testIndex(t, f, "etl/node", "linux/amd64")
	index := f.pushIndex(t, "etl/node", "index", idx)
	child := must(idx.IndexManifest())(t).Manifests[0].Digest.String()
	other := testImage(t, "linux/amd64", 1)
	lie := must(other.RawManifest())(t)

	for _, tc := range []struct {
		name, path  string
		digest      Digest
		contentType types.MediaType
		body        []byte
	}{
		{"another image", "manifests/" + string(single), single, types.OCIManifestSchema1, lie},
		{"another child", "manifests/" + child, index, types.OCIManifestSchema1, lie},
		{"another configuration", "blobs/sha256:", single, "", must(other.RawConfigFile())(t)},
		// go-containerregistry trusts the header for this type alone.
		{"signed schema 1", "manifests/" + string(single), single, types.DockerManifestSchema1Signed, lie},
	} {
		f.set(func(f *fake) {
			f.fault = func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, tc.path) {
					f.content.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", string(tc.contentType))
				w.Header().Set("Docker-Content-Digest", string(tc.digest))
				_, _ = w.Write(tc.body)
			}
		})
		m, err := c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(tc.digest)), []Platform{amd64})
		if problem.CodeOf(err) != problem.RegistryAnswer {
			t.Errorf("%s: Manifest = %v, %v, want it refused", tc.name, m, err)
		}
	}
}

func TestManifestOfWhatIsNoImage(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/amd64", 1)
	f.push(t, "etl/x", "image", img)
	config := must(img.Manifest())(t).Config
	descriptor := func(mediaType types.MediaType) v1.Descriptor {
		d := config
		d.MediaType = mediaType
		return d
	}
	c := testClient(t, anonymous(f))
	for _, tc := range []struct {
		name string
		doc  map[string]any
		says string
	}{
		{"Helm chart", map[string]any{"config": descriptor("application/vnd.cncf.helm.config.v1+json"), "layers": []any{}}, `artefact of type "application/vnd.cncf.helm.config.v1+json"`},
		{"schema 1", map[string]any{"schemaVersion": 1, "fsLayers": []any{}}, "schema 1"},
		{"empty index", map[string]any{"manifests": []any{}}, "an index that holds no image"},
		{"index of notes", map[string]any{"manifests": []any{v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: config.Digest, Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}}}, "an index that holds no image"},
		{"index of endless names", map[string]any{"manifests": []any{v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: config.Digest, Platform: &v1.Platform{OS: "linux", Architecture: strings.Repeat("a", 500)}}}}, "an index that holds no image"},
		{"index of indexes", map[string]any{"manifests": []any{descriptor(types.OCIImageIndex)}}, "an index that holds no image"},
		{"image and index", map[string]any{"config": config, "layers": []any{}, "manifests": []any{}}, "neither an image nor an index"},
		{"contradicting type", map[string]any{"mediaType": types.OCIImageIndex, "config": config, "layers": []any{}}, "contradicts"},
		{"negative size", map[string]any{"config": config, "layers": []any{v1.Descriptor{Digest: config.Digest, Size: -1}}}, "negative size"},
		{"layer without a digest", map[string]any{"config": config, "layers": []any{map[string]any{"size": 1}}}, "read layers"},
	} {
		raw := must(json.Marshal(tc.doc))(t)
		f.put(t, http.MethodPut, "/v2/etl/x/manifests/t", string(types.OCIManifestSchema1), raw)
		hash, _, err := v1.SHA256(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/x@"+hash.String()), nil)
		t.Run(tc.name, func(t *testing.T) {
			check(t, err, problem.RegistryAnswer, tc.says)
		})
	}
}

// Whoever may push decides what is listed. What no image needs costs us no memory,
// and the other repositories of its registry no turn.
func TestManifestThatListsTooMuch(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	push := func(doc map[string]any) v1.Hash {
		raw := must(json.Marshal(doc))(t)
		f.put(t, http.MethodPut, "/v2/etl/x/manifests/t", string(types.OCIManifestSchema1), raw)
		hash, _, err := v1.SHA256(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	artefact := push(map[string]any{"config": v1.Descriptor{MediaType: "application/x", Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}}, "layers": []any{}})
	list := func(n int, d v1.Descriptor) []v1.Descriptor { return slices.Repeat([]v1.Descriptor{d}, n) }
	listed := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: artefact, Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}
	bare := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: artefact}
	c := testClient(t, anonymous(f))
	for name, doc := range map[string]map[string]any{
		"layers":                    {"config": v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: artefact}, "layers": list(40_000, bare)},
		"images":                    {"manifests": list(20_000, listed)},
		"images without a platform": {"manifests": append(list(900, bare), listed)},
	} {
		digest := push(doc)
		f.requests()
		_, err := c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/x@"+digest.String()), []Platform{amd64})
		t.Run(name, func(t *testing.T) { check(t, err, problem.RegistryAnswer, "it lists") })
		if n := count(f.requests(), "GET /v2/etl/x/manifests/"); n > 2*maxUnlisted {
			t.Errorf("%s: %d manifests were read", name, n)
		}
	}
}

func TestManifestGone(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	pin := mustPin(t, f.host()+"/etl/node@sha256:"+strings.Repeat("a", 64))
	_, err := testClient(t, anonymous(f)).Manifest(t.Context(), pin, nil)
	check(t, err, problem.TagNotFound, "read "+pin.String(), "does not have it")
}

func TestImageWithoutAPlatform(t *testing.T) {
	t.Parallel()
	f := plainFake(t)
	img := testImage(t, "linux/amd64", 1)
	config := must(img.ConfigFile())(t).DeepCopy()
	config.OS, config.Architecture = "", ""
	digest := f.push(t, "etl/node", "latest", must(mutate.ConfigFile(img, config))(t))
	_, err := testClient(t, anonymous(f)).Manifest(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(digest)), nil)
	check(t, err, problem.RegistryAnswer, "names no platform")
}
