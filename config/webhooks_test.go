package config

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/prewarm/prewarm/registry/webhook"
)

// fullWebhooks is what testdata/full.yaml says of senders.
func fullWebhooks(t *testing.T, folder string) []Webhook {
	secrets := filepath.Join(folder, "secrets")
	return []Webhook{
		{
			Name: "ci", Kind: "generic", Secrets: []Secret{"hunter2-hunter2-hunter2", "hunter2-hunter2-before!"},
			SecretFile: secrets + "/token", PreviousSecretFile: secrets + "/previous",
			Repositories: mustPatterns(t, "registry.example.com/etl/*", "docker.io/acme/**"), Registry: "registry.example.com:443",
			Fields: &webhook.Fields{Image: "detail.image", Registry: "resources[].registry", Repository: "repo", Tag: "detail.image-tag", Digest: "d", ID: "id"},
		},
		{
			Name: "hub", Kind: "dockerhub", Path: []Secret{"hunter2-in-the-path", "xoxb-hunter2-hunter2"},
			PathFile: secrets + "/path", PreviousPathFile: secrets + "/slack-token", Repositories: mustPatterns(t, "acme/*"),
		},
	}
}

// Each kind has its senders' way of showing who they are.
func TestWebhookKinds(t *testing.T) {
	t.Parallel()
	file, err := filepath.Abs("testdata/secrets/path")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range webhookKinds {
		head := "webhooks: [{name: a, kind: " + kind + ", repositories: [acme/*], registry: r.test, "
		mustLoad(t, write(t, head+"path_secret_file: "+file+"}]"))
		signed := write(t, head+"secret_file: "+file+"}]")
		if slices.Contains([]string{"dockerhub", "quay"}, kind) {
			if got := refused(t, signed, nil); got[0].Field != "webhooks[0]" {
				t.Errorf("%s: %s", kind, got)
			}
			continue
		}
		if got := len(mustLoad(t, signed).Webhooks[0].Secrets); got != 1 {
			t.Errorf("%s: %d secrets", kind, got)
		}
	}
}

func TestWebhookFieldPaths(t *testing.T) {
	t.Parallel()
	for written, ok := range map[string]bool{
		"tag": true, "detail.image-tag": true, "resources[].tag": true, "[].tag": true, "a[].b[]": true, "{account}.dkr.ecr.{region}.amazonaws.com": true, "{a.b[].c}/x": true,
		"": false, ".a": false, "a.": false, "a..b": false, "a b": false, "a[0]": false, "a.[]": false, "{}": false, "{a": false, "a}": false, "{a b}": false, "{a}}": false,
	} {
		if got := fieldRule.MatchString(written); got != ok {
			t.Errorf("%q: %v", written, got)
		}
	}
}
