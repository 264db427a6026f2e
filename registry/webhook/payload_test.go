package webhook_test

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

const (
	digestOnes  = registry.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	digestOCI   = registry.Digest("sha256:e2f38865289268b15824bdaba44b8a773d94aa7220cb1bd45f8597e7086dc400")
	digestV2    = registry.Digest("sha256:c83a0a7b2dcf23c1bed035117a21b93111850721189cee3156747e84c8ac9cd9")
	signingKey  = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=" // 32 times k
	signingTime = 1790000000                                           // of what is signed with a time
)

// payload is a request of testdata: what it says, and the secret behind it.
type payload struct {
	kind   webhook.Kind
	fields *webhook.Fields
	secret string // empty: its sender proves nothing
	want   []webhook.Event
}

var app = webhook.Event{Registry: "registry.example.com", Path: "acme/app", Tag: "1.2.3"}

// with is app with other words.
func with(change func(*webhook.Event)) []webhook.Event {
	e := app
	change(&e)
	return []webhook.Event{e}
}

func at(host string, digest registry.Digest, id string) []webhook.Event {
	return with(func(e *webhook.Event) { e.Registry, e.Digest, e.ID = host, digest, id })
}

func team(host, path, tag string, digest registry.Digest, id string) []webhook.Event {
	return []webhook.Event{{Registry: host, Path: path, Tag: tag, Digest: digest, ID: id}}
}

// payloads are all requests of testdata.
var payloads = map[string]payload{
	"captured/distribution-v3.1.2-delete-by-digest.http": {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/distribution-v3.1.2-delete-tag.http":       {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/distribution-v3.1.2-mount-blob.http":       {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/distribution-v3.1.2-pull-from-HEAD.http":   {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/distribution-v3.1.2-push-blob.http":        {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/distribution-v3.1.2-push-child-by-digest-no-tag.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15003", "team/mounted", "", "sha256:851011539eca8451b06e389bb65a1611c737fdf8392c08fb99e092a8c84ba9a3", "01a201e3-1294-70fb-ad83-27525b9999f5"),
	},
	"captured/distribution-v3.1.2-push-docker-manifest.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15003", "team/app", "docker", digestV2, "01a201e2-4ec7-799c-8e18-216e389b60d8"),
	},
	"captured/distribution-v3.1.2-push-index.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15003", "team/multi", "1.2.3", "sha256:5967733b19a6d4a1ea7d4456f2df94337bc8af9b959931d503c9a76fa9ee9b5c", "01a201e3-126a-750e-ab89-ef4e5a04f12d"),
	},
	"captured/distribution-v3.1.2-push-oci-manifest.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15003", "team/app", "1.0.0", digestOCI, "01a201e2-4e43-7d1a-88e0-e3956ba96d09"),
	},
	"captured/docker-registry-2.8.2-delete-by-digest.http": {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/docker-registry-2.8.2-mount-blob.http":       {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/docker-registry-2.8.2-pull-from-HEAD.http":   {kind: webhook.Distribution, secret: "s3cret-token"},
	"captured/docker-registry-2.8.2-push-docker-manifest.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15002", "team/app", "docker", digestV2, "c08409ff-5447-41d5-9d97-9f014682b903"),
	},
	"captured/docker-registry-2.8.2-push-oci-manifest.http": {
		kind: webhook.Distribution, secret: "s3cret-token",
		want: team("127.0.0.1:15002", "team/app", "1.0.0", digestOCI, "de0eb6b0-cfd3-4310-a649-6f38c4706f4d"),
	},
	"captured/zot-v2-main-image-deleted.http":      {kind: webhook.Zot, secret: "s3cret-token"},
	"captured/zot-v2-main-repository-created.http": {kind: webhook.Zot, secret: "s3cret-token"},
	"captured/zot-v2-main-image-updated.http": {
		kind: webhook.Zot, secret: "s3cret-token",
		want: team("", "team/app", "1.0.0", digestOCI, "5cf3a696-709c-4ce0-a2e3-105a78ac09c8"),
	},

	"documented/acr-ping.http": {kind: webhook.ACR, secret: "s3cret"},
	"documented/acr-push.http": {kind: webhook.ACR, secret: "s3cret", want: at("acme.azurecr.io", digestOnes, "cb8c3971-9adc-488b-0000-000000000001")},
	"documented/artifactory.http": {
		kind: webhook.Generic, fields: &webhook.Fields{Registry: "jpd_origin", Repository: "{data.repo_key}/{data.image_name}", Tag: "data.tag", Digest: "data.sha256"},
		want: with(func(e *webhook.Event) {
			e.Registry, e.Path, e.Digest = "acme.jfrog.io", "docker-local/acme/app", digestOnes
		}),
	},
	"documented/dockerhub.http": {kind: webhook.DockerHub, want: at("docker.io", "", "")},
	"documented/ecr-eventbridge.http": {
		kind: webhook.Generic, fields: &webhook.Fields{
			Registry: "{account}.dkr.ecr.{region}.amazonaws.com", Repository: "detail.repository-name", Tag: "detail.image-tag", Digest: "detail.image-digest", ID: "id",
		},
		want: at("123456789012.dkr.ecr.eu-central-1.amazonaws.com", digestOnes, "13cde686-328b-6117-0000-000000000001"),
	},
	"documented/gar-pubsub-push.http": {
		kind: webhook.Generic, fields: &webhook.Fields{Image: "message.data.digest", Tag: "message.data.tag", ID: "message.messageId"},
		want: with(func(e *webhook.Event) {
			e.Registry, e.Path, e.Digest, e.ID = "europe-west1-docker.pkg.dev", "proj/repo/app", digestOnes, "1234567890"
		}),
	},
	"documented/generic-ci.http": {kind: webhook.Generic, secret: "s3cret", want: at("registry.example.com", digestOnes, "01J8PREWARM0000000000000001")},
	"documented/ghcr-package-untagged-trailing-colon.http": {
		kind: webhook.GitHub, secret: "s3cret",
		want: team("ghcr.io", "acme/app", "", digestOnes, "6f9b3a3c-0d0a-4a10-9c0e-1d7d5e0f0001"),
	},
	"documented/ghcr-package.http":          {kind: webhook.GitHub, secret: "s3cret", want: at("ghcr.io", digestOnes, "6f9b3a3c-0d0a-4a10-9c0e-1d7d5e0f0001")},
	"documented/ghcr-registry_package.http": {kind: webhook.GitHub, secret: "s3cret", want: at("ghcr.io", digestOnes, "6f9b3a3c-0d0a-4a10-9c0e-1d7d5e0f0001")},
	"documented/gitea-package.http":         {kind: webhook.Gitea, secret: "s3cret", want: at("git.example.com", "", "f6266f16-1bf3-46a5-0000-000000000001")},
	"documented/gitlab-pipeline.http":       {kind: webhook.GitLab, secret: "s3cret", want: at("registry.example.com", "", "f0c6c9e2-1c1e-4c6a-9a2c-000000000001")},
	"documented/harbor-cloudevents.http":    {kind: webhook.Harbor, secret: "s3cret", want: at("harbor.example.com", digestOnes, "66e18103-09c1-41f6-982f-000000000001")},
	"documented/harbor-default.http":        {kind: webhook.Harbor, secret: "s3cret", want: at("harbor.example.com", digestOnes, "")},
	"documented/harbor-v1-pushImage.http":   {kind: webhook.Harbor, secret: "s3cret", want: at("harbor.example.com", digestOnes, "")},
	"documented/nexus-component.http": {
		kind: webhook.Generic, fields: &webhook.Fields{Repository: "component.name", Tag: "component.version"},
		want: at("", "", ""),
	},
	"documented/quay.http": {kind: webhook.Quay, want: append(at("quay.io", "", ""), team("quay.io", "acme/app", "latest", "", "")...)},
}

// delivery reads a request of testdata, as if it came when it was signed.
func delivery(t testing.TB, name string) webhook.Delivery {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := http.ReadRequest(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Delivery{Header: r.Header, Body: body, At: time.Unix(signingTime, 0).Add(time.Minute)}
}

func TestEveryPayloadIsTried(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.http")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = strings.TrimPrefix(filepath.ToSlash(files[i]), "testdata/")
	}
	slices.Sort(files)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(payloads)), files); diff != "" {
		t.Errorf("testdata is not what payloads lists (-listed +there):\n%s", diff)
	}
}

func TestDecodePayloads(t *testing.T) {
	t.Parallel()
	for name, p := range payloads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.Decode(p.kind, p.fields, delivery(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
