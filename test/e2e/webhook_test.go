//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const hookSecret = "0123456789-0123456789"

// sightings are when new digests were seen, by digest, as the log tells it.
type sightings struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *sightings) Enabled(context.Context, slog.Level) bool { return true }
func (s *sightings) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *sightings) WithGroup(string) slog.Handler            { return s }

func (s *sightings) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "new digest seen" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "digest" {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.at[a.Value.String()] = r.Time
		}
		return true
	})
	return nil
}

func (s *sightings) of(digest string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[digest]
}

// hooked is a server in this process, since it is measured when it sees what.
type hooked struct {
	client  *api.Client
	url     string
	seen    *sightings
	r       *fleet.Registry
	deliver *http.Client
}

// newHooked starts a registry that tells a server of its pushes, and that
// server with images jobs-0 … of etl/jobs-N, which it looks at once an hour.
func newHooked(t *testing.T, name string, images int) *hooked {
	t.Helper()
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	h := &hooked{url: "http://" + address, seen: &sightings{at: make(map[string]time.Time)}}
	h.r = addRegistry(t, fleet.RegistryOptions{Name: name, Notify: &fleet.Notify{URL: h.url + "/v1/webhooks/registry", Authorization: "Bearer " + hookSecret}})
	setup := prewarmtest.Setup{
		Address: address, State: filepath.Join(t.TempDir(), "state"), Registries: []string{prewarmtest.Registry(h.r)},
		Hosts: []string{"{name: gone, endpoint: 'unix:///nowhere/docker.sock'}"}, // pulls would only disturb what is measured
	}
	for n := range images {
		setup.Images = append(setup.Images, fmt.Sprintf("{name: jobs-%d, repository: %s/etl/jobs-%d, watch: '@every 1h'}", n, h.r.Addr, n))
	}
	file := filepath.Join(t.TempDir(), "prewarm.yaml")
	replace(t, file, setup.String())
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := registry.ParsePattern(h.r.Addr + "/etl/*")
	if err != nil {
		t.Fatal(err)
	}
	c.Webhooks = []config.Webhook{{Name: "registry", Kind: "distribution", Secrets: []config.Secret{hookSecret}, Repositories: []registry.Pattern{allowed}}}
	a, err := app.New(t.Context(), app.Options{Config: c, Version: "test", Logger: slog.New(h.seen)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	h.client, h.deliver = &api.Client{URL: h.url, HTTP: http.Client{Transport: transport}}, &http.Client{Transport: transport}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

// Debian's registry tells of each push, and the digest is seen long before the
// schedule would look.
func TestPushesThatTheRegistryTellsOf(t *testing.T) {
	const pushes = 50
	h := newHooked(t, "telling", pushes)
	var took []time.Duration
	for n := range pushes {
		digest := pushTo(t, h.r, fmt.Sprintf("etl/jobs-%d:latest", n), fleet.Image{Version: fmt.Sprint(n), Index: n%2 == 1})
		pushed := time.Now()
		await(t, "the digest is seen", func() bool { return !h.seen.of(digest).IsZero() })
		took = append(took, h.seen.of(digest).Sub(pushed))
	}
	slices.Sort(took)
	t.Logf("from a push's end to its sighting: median %s, 90 %% within %s, longest %s", took[pushes/2], took[pushes*9/10], took[pushes-1])
	hooks, err := h.client.Webhooks(t.Context(), "registry", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if n := hooks.Webhooks[0].Counts; n.Accepted < pushes || n.Refused > 0 {
		t.Errorf("%+v", n)
	}
}

// A flood of signed deliveries costs a few looks at each image and loses none of
// the last states.
func TestAFloodOfDeliveries(t *testing.T) {
	const images, deliveries, within, senders = 10, 10_000, 10 * time.Second, 20
	h := newHooked(t, "flooding", images)
	last := make([]string, images)
	for n := range images {
		last[n] = pushTo(t, h.r, fmt.Sprintf("etl/jobs-%d:latest", n), fleet.ProgramImage(fmt.Sprint("first ", n)))
		await(t, "the first digest is seen", func() bool { return !h.seen.of(last[n]).IsZero() })
	}
	begun := time.Now()
	statuses := make(map[int]int)
	var slowest time.Duration
	var mu sync.Mutex
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for n := s; n < deliveries; n += senders {
				time.Sleep(time.Until(begun.Add(within * time.Duration(n) / deliveries)))
				sent := time.Now()
				status, err := h.tell(t.Context(), fmt.Sprint("flood-", n), fmt.Sprintf("etl/jobs-%d", n%images))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				statuses[status]++
				slowest = max(slowest, time.Since(sent))
				mu.Unlock()
			}
		})
	}
	for n := range images { // pushes in the midst of it
		last[n] = pushTo(t, h.r, fmt.Sprintf("etl/jobs-%d:latest", n), fleet.ProgramImage(fmt.Sprint("second ", n)))
	}
	all.Wait()
	took := time.Since(begun)
	for n := range images {
		await(t, "the last digest is seen", func() bool { return !h.seen.of(last[n]).IsZero() })
	}
	hooks, err := h.client.Webhooks(t.Context(), "registry", 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deliveries in %s: %v, the slowest answer after %s; %+v", deliveries, took, statuses, slowest, hooks.Webhooks[0].Counts)
	if statuses[http.StatusAccepted] != deliveries {
		t.Errorf("answered %v", statuses)
	}
}

// tell delivers what a registry would, signed.
func (h *hooked) tell(ctx context.Context, id, repository string) (int, error) {
	body := fmt.Sprintf(`{"events":[{"id":%q,"action":"push","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json","repository":%q,"tag":"latest"},"request":{"host":%q}}]}`,
		id, repository, strings.TrimPrefix(h.r.Addr, "http://"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/v1/webhooks/registry", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/vnd.docker.distribution.events.v1+json")
	req.Header.Set("Authorization", "Bearer "+hookSecret)
	resp, err := h.deliver.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
