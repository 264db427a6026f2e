package registry

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func TestOriginOf(t *testing.T) {
	t.Parallel()
	const prefix = "org.opencontainers.image."
	for _, tc := range []struct {
		name   string
		labels map[string]string
		want   Origin
	}{
		{"none", nil, Origin{}},
		{"others", map[string]string{"maintainer": "x"}, Origin{}},
		{"all", map[string]string{
			prefix + "revision": "4f2a", prefix + "source": "https://git.example.com/etl", prefix + "version": "1.2", prefix + "created": "2026-11-22T12:00:00Z",
		}, Origin{Revision: "4f2a", Source: "https://git.example.com/etl", Version: "1.2", Created: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}},
		{"a token in the address", map[string]string{prefix + "source": "https://oauth2:" + testPassword + "@git.example.com/etl.git"}, Origin{Source: "https://git.example.com/etl.git"}},
		{"an address of git's own", map[string]string{prefix + "source": "git@git.example.com:etl.git"}, Origin{Source: "git@git.example.com:etl.git"}},
		{"no date", map[string]string{prefix + "created": "yesterday"}, Origin{}},
		{"tricks on the terminal", map[string]string{prefix + "version": "1\x1b[2J\n\xff2 "}, Origin{Version: "1[2J2"}},
		{"a novel", map[string]string{prefix + "version": strings.Repeat("é", 1000)}, Origin{Version: strings.Repeat("é", longestOrigin/2)}},
	} {
		if diff := cmp.Diff(tc.want, originOf(tc.labels)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func labelled(t testing.TB, img v1.Image, revision string) v1.Image {
	t.Helper()
	config := must(img.ConfigFile())(t).DeepCopy()
	config.Config.Labels = map[string]string{"org.opencontainers.image.revision": revision}
	return must(mutate.ConfigFile(img, config))(t)
}

func TestManifestTellsTheOrigin(t *testing.T) {
	t.Parallel()
	note := func(revision string) map[string]string {
		return map[string]string{"org.opencontainers.image.revision": revision}
	}
	f := plainFake(t)
	c := testClient(t, anonymous(f))
	single := labelled(t, testImage(t, "linux/amd64", 1), "of the configuration")
	noted := mutate.Annotations(single, note("of the manifest")).(v1.Image)
	index := func(img v1.Image, annotations map[string]string) v1.ImageIndex {
		f.push(t, "etl/node", "", img)
		idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
		})
		if annotations != nil {
			idx = mutate.Annotations(idx, annotations).(v1.ImageIndex)
		}
		return idx
	}
	for _, tc := range []struct {
		name      string
		digest    Digest
		platforms []Platform
		want      string
		requests  int
	}{
		{"a single image", f.push(t, "etl/node", "a", single), nil, "of the configuration", 2},
		{"its annotations first", f.push(t, "etl/node", "b", noted), nil, "of the manifest", 2},
		{"an index", f.pushIndex(t, "etl/node", "c", index(single, note("of the index"))), []Platform{amd64}, "of the index", 2},
		{"a child's annotations", f.pushIndex(t, "etl/node", "d", index(noted, nil)), []Platform{amd64}, "of the manifest", 2},
		{"a child's configuration", f.pushIndex(t, "etl/node", "e", index(single, nil)), []Platform{amd64}, "of the configuration", 3},
		{"no child is read", f.pushIndex(t, "etl/node", "e", index(single, nil)), nil, "", 1},
	} {
		must(c.Resolve(t.Context(), mustRef(t, f.host()+"/etl/node:a")))(t)
		f.requests()
		m := must(c.Manifest(t.Context(), mustPin(t, f.host()+"/etl/node@"+string(tc.digest)), tc.platforms))(t)
		if m.Origin.Revision != tc.want {
			t.Errorf("%s: revision %q, want %q", tc.name, m.Origin.Revision, tc.want)
		}
		if got := f.requests(); len(got) != tc.requests {
			t.Errorf("%s: %v, want %d requests", tc.name, got, tc.requests)
		}
	}

	// A configuration that can't be read is not worth a failure, but its 429 is
	// heard.
	f.set(func(f *fake) {
		f.fault = func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				answer(429, "")(w, r)
				return
			}
			f.content.ServeHTTP(w, r)
		}
	})
	pin := mustPin(t, f.host()+"/etl/node@"+string(f.pushIndex(t, "etl/node", "e", index(single, nil))))
	m := must(c.Manifest(t.Context(), pin, []Platform{amd64}))(t)
	if len(m.Children) != 1 || len(m.Children[0].Layers) != 1 || m.Origin != (Origin{}) {
		t.Errorf("Manifest = %+v, want all but the origin", m)
	}
	if _, err := c.Manifest(t.Context(), pin, nil); err == nil {
		t.Error("a registry that asked for fewer requests is asked again at once")
	}
}

// What was stored before manifests told their origin reads as it did, and what
// has none is written as before.
func TestManifestAsItWasStored(t *testing.T) {
	t.Parallel()
	pin := mustPin(t, "etl/node@sha256:"+strings.Repeat("a", 64))
	old := `{"Pin":"` + pin.String() + `","Children":[{"Platform":{"OS":"linux","Architecture":"amd64","Variant":""},"Digest":"sha256:b","Layers":null}]}`
	var m Manifest
	must(0, json.Unmarshal([]byte(old), &m))(t)
	if m.Pin != pin || len(m.Children) != 1 || m.Origin != (Origin{}) {
		t.Errorf("read %+v", m)
	}
	if got := string(must(json.Marshal(m))(t)); got != old {
		t.Errorf("written as %s, want %s", got, old)
	}
	m.Origin = Origin{Revision: "4f2a", Created: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	var again Manifest
	must(0, json.Unmarshal(must(json.Marshal(m))(t), &again))(t)
	if again.Origin != m.Origin {
		t.Errorf("origin %+v reads as %+v", m.Origin, again.Origin)
	}
}
