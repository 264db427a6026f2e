package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/registry"
)

// pushable is a registry of images without layers whose tags tests move.
type pushable struct {
	address string

	mu    sync.Mutex
	tags  map[string]int // what repository:tag shows
	heads map[string]int // requests for repository:tag
	lists int
}

const pushableBlob = `{"os":"linux","architecture":"amd64"}`

func pushableManifest(n int) (text, digest string) {
	text = fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%x","size":%d},"layers":[],"annotations":{"n":"%d"}}`,
		sha256.Sum256([]byte(pushableBlob)), len(pushableBlob), n)
	return text, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

func newPushable(t *testing.T) *pushable {
	t.Helper()
	p := &pushable{tags: make(map[string]int), heads: make(map[string]int)}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.address = strings.TrimPrefix(s.URL, "http://")
	return p
}

func (p *pushable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	repo, wanted, _ := strings.Cut(path, "/manifests/")
	switch {
	case path == "":
	case strings.HasSuffix(path, "/tags/list"):
		p.lists++
		var names []string
		for name := range p.tags {
			if tag, ok := strings.CutPrefix(name, strings.TrimSuffix(path, "/tags/list")+":"); ok {
				names = append(names, fmt.Sprintf("%q", tag))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"x","tags":[%s]}`, strings.Join(names, ","))
	case strings.Contains(path, "/blobs/"):
		_, _ = io.WriteString(w, pushableBlob)
	default:
		for name, n := range p.tags {
			text, digest := pushableManifest(n)
			if name != repo+":"+wanted && (digest != wanted || !strings.HasPrefix(name, repo+":")) {
				continue
			}
			if name == repo+":"+wanted {
				p.heads[name]++
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", digest)
			_, _ = io.WriteString(w, text)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *pushable) push(name string, n int) (digest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tags[name] = n
	_, digest = pushableManifest(n)
	return digest
}

func (p *pushable) asked(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heads[name]
}

func (p *pushable) listed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lists
}

// told is what Distribution says of a push.
func told(host, id, repository, tag, digest string) string {
	return fmt.Sprintf(`{"events":[{"id":%q,"action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json","repository":%q,"tag":%q,"digest":%q},"request":{"host":%q}}]}`,
		id, repository, tag, digest, host)
}

const hookSecret = "0123456789-0123456789"

// withHook adds a webhook of kind distribution, called registry, to what load
// read.
func withHook(t *testing.T, c *config.Config, allowed string) *config.Config {
	t.Helper()
	pattern, err := registry.ParsePattern(allowed)
	if err != nil {
		t.Fatal(err)
	}
	c.Webhooks = []config.Webhook{{Name: "registry", Kind: "distribution", Secrets: []config.Secret{hookSecret}, Repositories: []registry.Pattern{pattern}}}
	return c
}

func (r *running) deliver(ctx context.Context, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.addr+"/v1/webhooks/registry", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/vnd.docker.distribution.events.v2+json")
	req.Header.Set("Authorization", "Bearer "+hookSecret)
	resp, err := r.client.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (r *running) shows(t *testing.T, image, tag, digest string) bool {
	t.Helper()
	i, err := r.client.Image(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range i.Tracks {
		if track.Tag != tag {
			continue
		}
		for _, coming := range track.Coming {
			if coming.Digest == digest {
				return true
			}
		}
	}
	return false
}

func TestAPushThatIsToldIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	p := newPushable(t)
	p.push("etl/jobs:latest", 1)
	p.push("etl/jobs:1.0.0", 1)
	r := start(t, withHook(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%[1]s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
  - {name: jobs, repository: "%[1]s/etl/jobs", watch: "0 3 1 1 *"}
  - {name: chosen, repository: "%[1]s/etl/jobs", watch: "0 3 1 1 *", track: {select: {include: '^\d+\.\d+\.\d+$'}}}
  - {name: fixed, repository: "%[1]s/etl/jobs", track: {digest: "sha256:%064[2]x"}}
`, p.address, 7)), p.address+"/etl/*"))
	await(t, "the first look", func() bool { return p.asked("etl/jobs:1.0.0") > 0 && p.asked("etl/jobs:latest") > 0 })
	tell := func(want int, id, repository, tag, digest string) {
		t.Helper()
		if status, err := r.deliver(t.Context(), told(p.address, id, repository, tag, digest)); status != want || err != nil {
			t.Errorf("%s:%s: %d, %v", repository, tag, status, err)
		}
	}
	digest := p.push("etl/jobs:latest", 2)
	tell(http.StatusAccepted, "e1", "etl/jobs", "latest", digest)
	await(t, "the tag that was told", func() bool { return r.shows(t, "jobs", "latest", digest) })
	if r.shows(t, "chosen", "latest", digest) {
		t.Error("another image follows the tag")
	}
	// One that only a selection wants, and did not know.
	digest = p.push("etl/jobs:1.1.0", 3)
	tell(http.StatusAccepted, "e2", "etl/jobs", "1.1.0", digest)
	await(t, "the tag that is the newest now", func() bool { return r.shows(t, "chosen", "1.1.0", digest) })
	lists := p.listed()
	tell(http.StatusOK, "e3", "etl/jobs", "0.9.0", digest) // older than what is chosen
	tell(http.StatusOK, "e4", "etl/other", "latest", digest)
	tell(http.StatusAccepted, "e2", "etl/jobs", "1.1.0", digest)
	var hooks api.Webhooks
	await(t, "what came of it is written down", func() bool {
		var err error
		if hooks, err = r.client.Webhooks(t.Context(), "registry", 10); err != nil {
			t.Fatal(err)
		}
		return len(hooks.Webhooks[0].Deliveries) == 5 && hooks.Webhooks[0].Deliveries[3].Led != ""
	})
	var verdicts []string
	for _, d := range hooks.Webhooks[0].Deliveries {
		verdicts = append(verdicts, d.Verdict)
		if d.From != "127.0.0.1" {
			t.Errorf("%+v", d)
		}
	}
	if got := strings.Join(verdicts, " "); got != "repeated irrelevant irrelevant accepted accepted" || p.listed() != lists {
		t.Errorf("%s; listed %d times more", got, p.listed()-lists)
	}
	if led := hooks.Webhooks[0].Deliveries[3].Led; led != "new digest "+digest {
		t.Errorf("led to %q", led)
	}
	tried, err := r.client.TestWebhook(t.Context(), "registry", api.WebhookTestRequest{Body: told(p.address, "e9", "etl/jobs", "latest", digest)})
	if err != nil || len(tried.Events) != 1 || strings.Join(tried.Events[0].Images, " ") != "jobs" {
		t.Errorf("%+v, %v", tried, err)
	}
	if log := r.log.String(); strings.Contains(log, hookSecret) || !strings.Contains(log, "new digest seen") {
		t.Errorf("logged:\n%s", log)
	}
}

// Deliveries as fast as they can be told, on a real disk: each is answered, few
// lead to a request, and the last state is seen.
func TestAFloodOfDeliveries(t *testing.T) {
	t.Parallel()
	const images, deliveries, senders = 10, 2000, 16
	p := newPushable(t)
	var entries strings.Builder
	for i := range images {
		p.push(fmt.Sprintf("etl/jobs-%d:latest", i), 0)
		fmt.Fprintf(&entries, "  - {name: jobs-%d, repository: \"%s/etl/jobs-%d\", watch: \"0 3 1 1 *\"}\n", i, p.address, i)
	}
	r := start(t, withHook(t, load(t, fmt.Sprintf(`
registries:
  - {name: "%s", plain_http: true}
hosts:
  - {name: gone, endpoint: "unix:///nowhere/docker.sock"}
images:
%s`, p.address, entries.String())), p.address+"/etl/*"))
	for i := range images {
		await(t, "the first look", func() bool { return p.asked(fmt.Sprintf("etl/jobs-%d:latest", i)) > 0 })
	}
	begun := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := make(map[int]int)
	for s := range senders {
		all.Go(func() {
			for n := s; n < deliveries; n += senders {
				image := fmt.Sprintf("etl/jobs-%d", n%images)
				status, err := r.deliver(t.Context(), told(p.address, fmt.Sprint("e", n), image, "latest", ""))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	t.Logf("%d deliveries in %s: %v", deliveries, took, statuses)
	if statuses[http.StatusAccepted] != deliveries {
		t.Errorf("answered %v", statuses)
	}
	for i := range images {
		name := fmt.Sprintf("etl/jobs-%d", i)
		last := p.push(name+":latest", 1)
		if _, err := r.deliver(t.Context(), told(p.address, "last"+name, name, "latest", last)); err != nil {
			t.Fatal(err)
		}
		await(t, "the last state", func() bool { return r.shows(t, fmt.Sprintf("jobs-%d", i), "latest", last) })
		// The schedule's look, three at once, one each 5 s, the last one, and one more
		// that may have come in between.
		if n, most := p.asked(name+":latest"), 6+int(time.Since(begun)/(5*time.Second)); n > most {
			t.Errorf("%s was asked for %d times in %s", name, n, time.Since(begun))
		}
	}
}
