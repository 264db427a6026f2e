//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// told are the ids of the messages that tell of a run's failure.
func (i *inbox) told(run string) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ids []string
	for _, body := range i.got {
		var m struct {
			ID    string   `json:"id"`
			Kinds []string `json:"kinds"`
		}
		if json.Unmarshal([]byte(body), &m) == nil && strings.Contains(body, run) && strings.Contains(body, `"run_failed"`) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Wherever the server is killed between a run's end and the message that tells
// of it, people are told: once, or twice with the same id where it was killed
// between the sending and the noting.
func TestPeopleAreToldWhateverDies(t *testing.T) {
	t.Parallel()
	jobs := image(t)
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("told"))
	for point, most := range map[string]int{"run.ended": 1, "notice.routed": 1, "notice.sent": 2} {
		t.Run(point, func(t *testing.T) {
			people := &inbox{}
			receiver := httptest.NewServer(people)
			defer receiver.Close()
			secret := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(secret, []byte("0123456789abcdef0123"), 0o600); err != nil {
				t.Fatal(err)
			}
			setup := prewarmtest.SetupOf(shared, "", "")
			setup.Images = []string{jobs}
			setup.Further = fmt.Sprintf("notify: [{name: json, webhook: {url: '%s', secret_file: %s}, on: [run_failed]}]\n", receiver.URL, secret)
			b := newBenchOf(t, setup)
			b.awaitCurrent(digest)
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			b.begin(prewarmtest.DieAt(point))
			var run api.Submitted
			await(t, "the run is taken", func() bool {
				// What the first life did not come to tell is told now: it may die of
				// that, before the run is there.
				if b.died() {
					b.begin(prewarmtest.DieAt(point))
				}
				var err error
				run, err = b.client().Submit(t.Context(), api.SubmitRun{Image: "jobs", Command: []string{"exit", "3"}, WaitWarm: api.Duration(time.Minute)}, "once")
				return err == nil
			})
			if err := b.AwaitDeath(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.serve()
			await(t, "people are told", func() bool { return len(people.told(run.ID)) > 0 })
			await(t, "the message is noted as sent", func() bool {
				all, err := b.client().Notices(t.Context(), "json", 10)
				return err == nil && len(all.Notices) == 1 && all.Notices[0].State == "sent"
			})
			ids := people.told(run.ID)
			if len(ids) > most || ids[0] == "" || ids[len(ids)-1] != ids[0] {
				t.Errorf("told by %q, at most %d messages of one id were to come", ids, most)
			}
		})
	}
}

// What a sender was answered, or not yet, is on disk: killed right after it was
// written down, the next life has it on record.
func TestADeliveryOutlivesAKill(t *testing.T) {
	t.Parallel()
	first := push(t, repo(t)+":latest", fleet.ProgramImage("first"))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Images = []string{strings.Replace(image(t), "@every 1s", "@every 1h", 1)}
	setup.Further = fmt.Sprintf("webhooks: [{name: ci, kind: generic, secret_file: %s, repositories: ['%s/*']}]\n", secret, shared.Registry.Addr)
	b := newBenchOf(t, setup)
	b.awaitCurrent(first)
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.serve(prewarmtest.DieAt("hint.written"))
	b.awaitCurrent(first)
	second := push(t, repo(t)+":latest", fleet.ProgramImage("second"))
	body := fmt.Sprintf(`{"images":[{"ref":"%s/%s:latest","digest":"%s"}]}`, shared.Registry.Addr, repo(t), second)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/v1/webhooks/ci", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer 0123456789abcdef0123")
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %s by a server that should have died", resp.Status)
	}
	if err := b.AwaitDeath(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.serve()
	hooks, err := b.client().Webhooks(t.Context(), "ci", 10)
	if err != nil || len(hooks.Webhooks) != 1 || len(hooks.Webhooks[0].Deliveries) != 1 {
		t.Fatalf("on record: %+v, %v", hooks, err)
	}
	b.awaitCurrent(second)
}
