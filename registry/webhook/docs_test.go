package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/registry/webhook"
)

// block is what docs/webhooks.md shows in a block of a language that contains a
// text.
func block(t *testing.T, language, contains string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "\n```")
	for _, part := range parts {
		if text, ok := strings.CutPrefix(part, language+"\n"); ok && strings.Contains(text, contains) {
			return text + "\n"
		}
	}
	t.Fatalf("docs/webhooks.md has no block of %s with %q", language, contains)
	return ""
}

// hook is a server that authenticates and decodes, as Prewarm does.
func hook(t *testing.T, secret string) (address string, events <-chan []webhook.Event) {
	t.Helper()
	got := make(chan []webhook.Event, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		d := webhook.Delivery{Header: r.Header, Body: body, At: time.Now()}
		if err := webhook.Authenticate(webhook.Generic, []string{secret}, d); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		decoded, err := webhook.Decode(webhook.Generic, nil, d)
		if err != nil {
			t.Error(err)
		}
		got <- decoded
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func run(script, address, secret string, args ...string) ([]byte, error) {
	command := exec.Command("sh", append([]string{script}, args...)...)
	command.Env = append(os.Environ(), "PREWARM_WEBHOOK="+address, "PREWARM_SECRET="+secret, "no_proxy=127.0.0.1")
	return command.CombinedOutput()
}

func TestTheScriptsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	const secret = `a "secret" with $blanks`
	address, events := hook(t, secret)
	for _, c := range []struct {
		name, contains string
		args           []string
		want           webhook.Event
	}{
		{"signed", "notify-prewarm.sh REF", []string{"registry.test/etl/node-jobs:1", string(digestOnes)}, webhook.Event{Registry: "registry.test", Path: "etl/node-jobs", Tag: "1", Digest: digestOnes}},
		{"signed, no digest", "notify-prewarm.sh REF", []string{"registry.test/etl/node-jobs:1"}, webhook.Event{Registry: "registry.test", Path: "etl/node-jobs", Tag: "1"}},
		{"bearer", "Authorization: Bearer %s", nil, webhook.Event{Registry: "registry.example.com", Path: "etl/node-jobs", Tag: "latest"}},
	} {
		script := filepath.Join(t.TempDir(), "script.sh")
		if err := os.WriteFile(script, []byte(block(t, "sh", c.contains)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := run(script, address, secret, c.args...); err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, out)
		}
		got := <-events
		if len(got) != 1 || len(c.args) > 0 != (got[0].ID != "") {
			t.Fatalf("%s: got %+v", c.name, got)
		}
		got[0].ID = "" // by chance
		if diff := cmp.Diff(c.want, got[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		out, err := run(script, address, "another", c.args...)
		if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), "does not match") {
			t.Errorf("%s with a wrong secret: %v\n%s", c.name, err, out)
		}
	}
}

// The mappings that are shown are those that the payloads are decoded by.
func TestTheMappingsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"ecr": "documented/ecr-eventbridge.http", "gar": "documented/gar-pubsub-push.http",
		"artifactory": "documented/artifactory.http", "nexus": "documented/nexus-component.http",
	} {
		_, after, ok := strings.Cut(block(t, "yaml", "- name: "+name+"\n"), "    fields:\n")
		if !ok {
			t.Fatalf("%s has no fields", name)
		}
		shown := map[string]string{}
		for line := range strings.Lines(after) {
			line, _, _ = strings.Cut(line, " #")
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			shown[key] = strings.Trim(value, "' ")
		}
		fields := webhook.Fields{
			Image: shown["image"], Registry: shown["registry"], Repository: shown["repository"], Tag: shown["tag"], Digest: shown["digest"], ID: shown["id"],
		}
		if diff := cmp.Diff(*payloads[file].fields, fields); diff != "" {
			t.Errorf("%s (-tested +shown):\n%s", name, diff)
		}
	}
}

func TestEveryKindIsDocumented(t *testing.T) {
	t.Parallel()
	for _, kind := range webhook.Kinds() {
		block(t, "yaml", "kind: "+string(kind)+"\n")
	}
}
