package webhook_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
)

func body(text string, headers ...string) webhook.Delivery {
	d := webhook.Delivery{Header: http.Header{}, Body: []byte(text)}
	for i := 0; i < len(headers); i += 2 {
		d.Header.Set(headers[i], headers[i+1])
	}
	return d
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	helmConfig  = "application/vnd.cncf.helm.config.v1+json"
)

func pushed(target string) webhook.Delivery {
	return body(`{"events":[{"id":"1","action":"push","request":{"host":"registry.test:5000"},"target":{"mediaType":"` + ociManifest + `",` + target + `}}]}`)
}

func container(version string) webhook.Delivery {
	return body(`{"action":"published","package":{"registry":{"type":"CONTAINER"},"package_version":` + version + `}}`)
}

func harbor(resource string) webhook.Delivery {
	return body(`{"type":"PUSH_ARTIFACT","event_data":{"resources":[` + resource + `],"repository":{"repo_full_name":"acme/app"}}}`)
}

func gitea(p string) webhook.Delivery { return body(`{"action":"created","package":{` + p + `}}`) }

func zot(text string) webhook.Delivery {
	return body(text, "Ce-Type", "zotregistry.image.updated", "Ce-Id", "1")
}

func TestDecode(t *testing.T) {
	t.Parallel()
	one := func(host, path, tag string) []webhook.Event {
		return []webhook.Event{{Registry: host, Path: path, Tag: tag}}
	}
	ones := string(digestOnes)
	for name, c := range map[string]struct {
		kind webhook.Kind
		d    webhook.Delivery
		want []webhook.Event
	}{
		"generic, one image":          {webhook.Generic, body(`{"image":"registry.test/a/b:1"}`), one("registry.test", "a/b", "1")},
		"generic, a short name":       {webhook.Generic, body(`{"image":"node:22"}`), one("docker.io", "library/node", "22")},
		"generic, no tag":             {webhook.Generic, body(`{"image":"registry.test/a"}`), one("registry.test", "a", "")},
		"generic, tag and digest":     {webhook.Generic, body(`{"image":"registry.test/a:1@` + ones + `"}`), team("registry.test", "a", "1", digestOnes, "")},
		"generic, a digest beside it": {webhook.Generic, body(`{"image":"registry.test/a","digest":"` + ones + `"}`), team("registry.test", "a", "", digestOnes, "")},
		"generic, a Standard Webhook": {webhook.Generic, body(`{"image":"registry.test/a:1"}`, "Webhook-Id", "msg_1"), team("registry.test", "a", "1", "", "msg_1")},
		"generic, several share an id": {
			webhook.Generic, body(`{"image":"registry.test/a:1","images":[{"ref":"registry.test/b:1"},{"ref":"registry.test/c:1"}]}`, "X-Prewarm-Id", "x"),
			append(append(team("registry.test", "a", "1", "", "x"), team("registry.test", "b", "1", "", "x/1")...), team("registry.test", "c", "1", "", "x/2")...),
		},
		"generic, an empty list":         {webhook.Generic, body(`{"images":[]}`), nil},
		"generic, a signature":           {webhook.Generic, body(`{"image":"registry.test/a:sha256-` + strings.Repeat("1", 64) + `.sig"}`), nil},
		"generic, an endless id":         {webhook.Generic, body(`{"image":"registry.test/a:1"}`, "X-Prewarm-Id", strings.Repeat("x", 201)), one("registry.test", "a", "1")},
		"generic, an id that is no text": {webhook.Generic, body(`{"image":"registry.test/a:1"}`, "X-Prewarm-Id", "\xff"), one("registry.test", "a", "1")},

		"distribution, nothing":                {webhook.Distribution, body(`{"events":[]}`), nil},
		"distribution, a Helm chart":           {webhook.Distribution, pushed(`"repository":"a","tag":"1","references":[{"mediaType":"` + helmConfig + `"}]`), nil},
		"distribution, an artefact":            {webhook.Distribution, pushed(`"repository":"a","tag":"1","references":[{"mediaType":"application/vnd.oci.empty.v1+json"}]`), nil},
		"distribution, a signature":            {webhook.Distribution, pushed(`"repository":"a","tag":"sha256-` + strings.Repeat("1", 64) + `"`), nil},
		"distribution, a digest of no use":     {webhook.Distribution, pushed(`"repository":"a","digest":"sha512:` + strings.Repeat("1", 128) + `"`), nil},
		"distribution, a registry with a port": {webhook.Distribution, pushed(`"repository":"a","tag":"1"`), team("registry.test:5000", "a", "1", "", "1")},
		"distribution, a registry without a dot": {
			webhook.Distribution,
			body(`{"events":[{"action":"push","request":{"host":"registry"},"target":{"mediaType":"` + ociManifest + `","repository":"a/b","tag":"1"}}]}`),
			one("registry", "a/b", "1"),
		},
		"distribution, localhost": {
			webhook.Distribution,
			body(`{"events":[{"action":"push","request":{"host":"localhost"},"target":{"mediaType":"` + ociManifest + `","repository":"a/b","tag":"1"}}]}`),
			one("localhost", "a/b", "1"),
		},
		"distribution, no registry": {
			webhook.Distribution, body(`{"events":[{"action":"push","target":{"mediaType":"` + ociManifest + `","repository":"a/b","tag":"1"}}]}`), one("", "a/b", "1"),
		},
		"distribution, a host that is none": {
			webhook.Distribution,
			body(`{"events":[{"action":"push","request":{"host":"a.b/c"},"target":{"mediaType":"` + ociManifest + `","repository":"a","tag":"1"}}]}`),
			one("", "a", "1"),
		},
		"distribution, what can be no image": {webhook.Distribution, pushed(`"repository":"` + strings.Repeat("a/", 200) + `a","tag":"1"`), nil},
		"distribution, one beside such": {
			webhook.Distribution,
			body(`{"events":[{"action":"push","target":{"mediaType":"` + ociManifest + `"}},{"action":"push","target":{"mediaType":"` + ociManifest + `","repository":"a"}}]}`),
			one("", "a", ""),
		},
		"acr, a chart":     {webhook.ACR, body(`{"action":"chart_push","target":{"mediaType":"application/vnd.acr.helm.chart","repository":"a","tag":"1"}}`), nil},
		"acr, a deletion":  {webhook.ACR, body(`{"action":"delete","target":{"mediaType":"` + ociManifest + `","repository":"a","digest":"` + ones + `"}}`), nil},
		"acr, without tag": {webhook.ACR, body(`{"action":"push","target":{"mediaType":"` + ociManifest + `","repository":"a"},"request":{"host":"acme.azurecr.io"}}`), one("acme.azurecr.io", "a", "")},

		"dockerhub, an official image": {webhook.DockerHub, body(`{"push_data":{"tag":"22","pushed_at":1.4e9},"repository":{"repo_name":"node"}}`), one("docker.io", "library/node", "22")},
		"dockerhub, a Helm chart":      {webhook.DockerHub, body(`{"push_data":{"tag":"1","media_type":"` + helmConfig + `"},"repository":{"repo_name":"a/b"}}`), nil},

		"quay, a scan": {webhook.Quay, body(`{"docker_url":"quay.io/a/b","vulnerability":{}}`), nil},

		"github, a ping":            {webhook.GitHub, body(`{"zen":"x"}`, "X-GitHub-Event", "ping"), nil},
		"github, a push of commits": {webhook.GitHub, body(`{"ref":"x"}`, "X-GitHub-Event", "push"), nil},
		"github, an npm package":    {webhook.GitHub, body(`{"action":"published","package":{"package_type":"npm","package_version":{"container_metadata":""}}}`, "X-GitHub-Event", "package"), nil},
		"github, a deletion":        {webhook.GitHub, body(`{"action":"deleted","package":{"package_type":"CONTAINER"}}`), nil},
		"github, a type in the samples": {
			webhook.GitHub, body(`{"action":"published","package":{"package_type":"npm","registry":{"type":"CONTAINER"},"package_version":{"package_url":"ghcr.io/A/B:Latest"}}}`),
			one("ghcr.io", "a/b", "Latest"),
		},
		"github, a digest in place of a tag": {webhook.GitHub, container(`{"package_url":"ghcr.io/A/b@` + ones + `","version":"` + ones + `"}`), team("ghcr.io", "a/b", "", digestOnes, "")},
		"github, an index child":             {webhook.GitHub, container(`{"package_url":"ghcr.io/A/b:","version":"` + ones + `","container_metadata":null}`), team("ghcr.io", "a/b", "", digestOnes, "")},
		"github, a form": {
			webhook.GitHub, body("payload="+url.QueryEscape(string(container(`{"package_url":"ghcr.io/A/b:1"}`).Body)), "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
			one("ghcr.io", "a/b", "1"),
		},

		"gitlab, another event":     {webhook.GitLab, body(`{"object_kind":"push","project":{"path_with_namespace":1}}`), nil},
		"gitlab, a failed pipeline": {webhook.GitLab, body(`{"object_kind":"pipeline","object_attributes":{"status":"failed"},"project":{"path_with_namespace":"a/b"}}`), nil},
		"gitlab, a running job":     {webhook.GitLab, body(`{"object_kind":"build","build_status":"running","project":{"path_with_namespace":"a/b"}}`), nil},
		"gitlab, a job":             {webhook.GitLab, body(`{"object_kind":"build","build_status":"success","project":{"path_with_namespace":"Acme/App"}}`), []webhook.Event{{Path: "acme/app", Below: true}}},
		"gitlab, a pipeline": {
			webhook.GitLab, body(`{"object_kind":"pipeline","object_attributes":{"status":"success","variables":[{"key":"X","value":"y"},{"key":"IMAGE","value":""}]},"project":{"path_with_namespace":"a/b"}}`, "X-Gitlab-Event-UUID", "u"),
			[]webhook.Event{{Path: "a/b", Below: true, ID: "u"}},
		},
		"gitlab, an image that is none": {
			webhook.GitLab, body(`{"object_kind":"pipeline","object_attributes":{"status":"success","variables":[{"key":"IMAGE","value":"A"}]},"project":{"path_with_namespace":"a/b"}}`),
			[]webhook.Event{{Path: "a/b", Below: true}},
		},
		"gitlab, a project without images": {webhook.GitLab, body(`{"object_kind":"pipeline","object_attributes":{"status":"success"},"project":{"path_with_namespace":"a/b_-c"}}`), nil},

		"harbor, a pull":          {webhook.Harbor, body(`{"type":"PULL_ARTIFACT","event_data":1}`), nil},
		"harbor, a CloudEvent":    {webhook.Harbor, body(`{"specversion":"1.0","type":"harbor.artifact.deleted","data":1}`), nil},
		"harbor, a digest as tag": {webhook.Harbor, harbor(`{"tag":"` + ones + `","resource_url":"harbor.test/acme/app@` + ones + `"}`), team("harbor.test", "acme/app", "", digestOnes, "")},
		"harbor, no address":      {webhook.Harbor, harbor(`{"tag":"1"}`), one("", "acme/app", "1")},
		"harbor, binary mode": {
			webhook.Harbor, body(`{"resources":[{"resource_url":"harbor.test/a/b:1"},{"resource_url":"harbor.test/a/b:2"}]}`, "Ce-Type", "harbor.artifact.pushed", "Ce-Id", "1"),
			append(team("harbor.test", "a/b", "1", "", "1"), team("harbor.test", "a/b", "2", "", "1/1")...),
		},

		"gitea, commits":       {webhook.Gitea, body(`{"ref":"x"}`, "X-Gitea-Event", "push"), nil},
		"gitea, a deletion":    {webhook.Gitea, body(`{"action":"deleted","package":{"type":"container"}}`), nil},
		"gitea, an npm one":    {webhook.Gitea, gitea(`"type":"npm"`), nil},
		"gitea, upper case":    {webhook.Gitea, gitea(`"type":"container","name":"App","version":"V1","owner":{"login":"Acme"},"html_url":"https://git.test:3000/x"`), one("git.test:3000", "acme/app", "V1")},
		"gitea, without tag":   {webhook.Gitea, gitea(`"type":"container","name":"a/b","version":"` + ones + `","owner":{"login":"x"},"html_url":":"`), team("", "x/a/b", "", digestOnes, "")},
		"gitea, a Forgejo one": {webhook.Gitea, body(`{"action":"created","package":{"type":"container","name":"b","version":"1","owner":{"login":"a"}}}`, "X-Forgejo-Event", "package", "X-Forgejo-Delivery", "d"), team("", "a/b", "1", "", "d")},
		"gitea, a form":        {webhook.Gitea, body("payload=%7B%22action%22%3A%22deleted%22%2C%22package%22%3A%7B%7D%7D", "Content-Type", "application/x-www-form-urlencoded"), nil},

		"zot, a digest as reference": {webhook.Zot, zot(`{"name":"a/b","reference":"` + ones + `","digest":"` + ones + `","mediaType":"` + ociManifest + `"}`), team("", "a/b", "", digestOnes, "1")},
		"zot, a Helm chart":          {webhook.Zot, zot(`{"name":"a","reference":"1","mediaType":"` + ociManifest + `","manifest":"{\"config\":{\"mediaType\":\"` + helmConfig + `\"}}"}`), nil},
		"zot, a blob":                {webhook.Zot, zot(`{"name":"a","reference":"1","mediaType":"application/octet-stream"}`), nil},
		"zot, a prefix of its own": {
			webhook.Zot, body(`{"specversion":"1.0","id":"7","type":"com.example.image.updated","data":{"name":"a","reference":"1","mediaType":"` + ociManifest + `"}}`), team("", "a", "1", "", "7"),
		},
	} {
		got, err := webhook.Decode(c.kind, nil, c.d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		kind webhook.Kind
		d    webhook.Delivery
		want string
	}{
		{webhook.Generic, body(``), "the body is no JSON: EOF"},
		{webhook.Generic, body(`{`), "the body is no JSON: unexpected EOF"},
		{webhook.Generic, body(`{"image":"a"} {}`), "the body is no JSON: something follows its end"},
		{webhook.Generic, body(`[]`), "the body: want an object, got an array"},
		{webhook.Generic, body(`{"image":1}`), "image: want a string, got a number"},
		{webhook.Generic, body(`{"images":{}}`), "images: want an array, got an object"},
		{webhook.Generic, body(`{"images":[{"ref":true}]}`), "images.ref: want a string, got a bool"},
		{webhook.Generic, body(`{}`), "image, images: missing"},
		{webhook.Generic, body(`{"images":[{"ref":"a"},{"digest":"x"}]}`), "images[1].ref: missing"},
		{webhook.Generic, body(`{"image":"registry.test/A:1"}`), `image: parse image reference "registry.test/A:1": invalid reference format: repository name (A) must be lowercase`},
		{webhook.Generic, body(`{"images":[{"ref":"a:1","digest":"sha256:1"}]}`), `images[0]: digest "sha256:1": want sha256: and 64 lower-case hex digits`},
		{webhook.Generic, body(`{"image":"a","digest":"latest"}`), `image: digest "latest": want sha256: and 64 lower-case hex digits`},
		{webhook.Generic, body(`{"image":"` + long + `"}`), "image: the image has 1000 bytes, and none has more than 512"},
		{webhook.Generic, body(`{"image":"a","digest":"` + long + `"}`), "image: the digest has 1000 bytes, and none has more than 200"},
		{webhook.Generic, body(`{"images":[` + strings.Repeat(`{"ref":"a:1"},`, 1000) + `{"ref":"a:1"}]}`), "it names 1001 images, and 1000 are allowed"},
		{webhook.Distribution, body(`{"action":"push"}`), "events: missing"},
		{webhook.ACR, body(`{"action":"push","target":{"mediaType":"` + ociManifest + `","tag":"1"}}`), "target: the repository is missing"},
		{webhook.Distribution, body(`{"events":[{"action":1}]}`), "events.action: want a string, got a number"},
		{webhook.ACR, body(`{"action":"push","target":{"mediaType":"` + ociManifest + `","repository":"a","tag":"` + strings.Repeat("x", 129) + `"}}`), fmt.Sprintf("target: tag %q: a tag is 1 to 128 letters, digits, '_', '.' or '-', and starts with a letter, a digit or '_'", strings.Repeat("x", 129))},
		{webhook.ACR, body(`{"events":[]}`), "action: missing"},
		{webhook.DockerHub, body(`{}`), "repository.repo_name: missing"},
		{webhook.Quay, body(`{"updated_tags":["1"]}`), "docker_url: missing"},
		{webhook.Quay, body(`{"docker_url":"quay.io/a/b","updated_tags":["1","!"]}`), `updated_tags[1]: tag "!": a tag is 1 to 128 letters, digits, '_', '.' or '-', and starts with a letter, a digit or '_'`},
		{webhook.GitHub, body(`{}`, "X-GitHub-Event", "package"), "package, registry_package: missing"},
		{webhook.GitHub, body(`payload=%7B%7D`), "the body is no JSON: invalid character 'p' looking for beginning of value"},
		{webhook.GitHub, body(`{"action":"published","package":{"ecosystem":"container"}}`), "package_version: missing"},
		{webhook.GitHub, container(`{}`), "package_version.package_url: missing"},
		{webhook.GitLab, body(`{}`), "object_kind: missing"},
		{webhook.GitLab, body(`{"object_kind":"pipeline","object_attributes":{"status":"success"}}`), "project.path_with_namespace: missing"},
		{webhook.Harbor, body(`{}`), "type: missing"},
		{webhook.Harbor, body(`{"type":"PUSH_ARTIFACT"}`), "event_data.resources: missing"},
		{webhook.Harbor, body(`{"specversion":"1.0","type":"harbor.artifact.pushed","data":{}}`), "data.resources: missing"},
		{webhook.Gitea, body(`{}`), "package: missing"},
		{webhook.Gitea, gitea(`"type":"container","name":"x"`), "package.owner.login, package.name: missing"},
		{webhook.Zot, body(`{"name":"a","reference":"1"}`), "header Ce-Type: missing"},
	} {
		events, err := webhook.Decode(c.kind, nil, c.d)
		want := fmt.Sprintf("read a delivery of kind %s: %s", c.kind, c.want)
		if p := problem.From(err); err == nil || err.Error() != want || p.Code != problem.WebhookBody || p.Mend == "" || events != nil {
			t.Errorf("got  %v, %v\nwant %s", events, err, want)
		}
	}
}

func TestEveryKindRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, kind := range webhook.Kinds() {
		for _, text := range []string{"", "x", "[]", "1", `{"a":`, "\xff"} {
			if events, err := webhook.Decode(kind, nil, body(text)); problem.CodeOf(err) != problem.WebhookBody || events != nil {
				t.Errorf("%s, %q: got %v, %v", kind, text, events, err)
			}
		}
	}
}

func TestThereIsNoOtherKind(t *testing.T) {
	t.Parallel()
	if _, err := webhook.Decode("other", nil, body(`{"image":"a"}`)); problem.CodeOf(err) != problem.Internal {
		t.Errorf("got %v", err)
	}
}
