package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clientOf makes a client with connections of its own.
func clientOf(t *testing.T, url string) *api.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &api.Client{URL: url, HTTP: http.Client{Transport: transport}}
}

// foreign is a client of something that is no prewarm server.
func foreign(t *testing.T, handler http.HandlerFunc) *api.Client {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return clientOf(t, s.URL)
}

// ours is a client of a real server over a domain of one image and one run.
func ours(t *testing.T, d *domain) *api.Client {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := server.New(server.Options{Images: d, Runs: d, Registry: d, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return clientOf(t, "http://"+l.Addr().String())
}

// odd is a name that is no segment of a path as it is.
const odd = "etl/jobs:v1 ?x=1#%2F"

// domain knows the image odd and the run odd.
type domain struct {
	spec     runner.Spec // of the last submit
	waitWarm time.Duration
	hosts    []string // of the last warm request
	lines    int      // of the run's log; as many events
	acts     []string // that people did
}

func (d *domain) know(name string, code problem.Code) error {
	if name == odd {
		return nil
	}
	e := problem.New(code, fmt.Sprintf("no %q here", name), "ask for another")
	e.RetryAfter = 90 * time.Second
	return e
}

func (d *domain) run() runner.Run {
	return runner.Run{ID: odd, Spec: d.spec, Image: "jobs", State: runner.Failed, ExitCode: 3, Exited: true, Submitted: time.Unix(1, 0)}
}

func (d *domain) image() warmer.ImageStatus {
	id := warmer.TrackID{Image: odd, Tag: "latest"}
	current := warmer.RolloutStatus{Rollout: warmer.Rollout{ID: "1", Track: id, Pin: d.pin(1), Phase: warmer.Current}}
	return warmer.ImageStatus{Entry: warmer.Entry{Image: odd, Tag: "latest"}, Tracks: []warmer.TrackStatus{{Track: warmer.Track{ID: id}, Current: &current}}}
}

// pin is digest n: its digit, 64 times.
func (d *domain) pin(n int) registry.Pin {
	repo, err := registry.ParseRepository("registry.test/jobs")
	if err != nil {
		panic(err)
	}
	return registry.NewPin(repo, registry.Digest("sha256:"+strings.Repeat(strconv.Itoa(n), 64)))
}

func (d *domain) Check(_ context.Context, image string) ([]warmer.Checked, error) {
	return []warmer.Checked{{Track: warmer.TrackID{Image: odd, Tag: "latest"}, New: true}}, d.know(image, problem.ImageNotManaged)
}

func (d *domain) Rewarm(image string, hosts []string) (registry.Pin, error) {
	d.hosts = hosts
	return registry.Pin{}, d.know(image, problem.ImageNotManaged)
}

func (d *domain) Image(name string) (warmer.ImageStatus, error) {
	return d.image(), d.know(name, problem.ImageNotManaged)
}

func (d *domain) Images() []warmer.ImageStatus { return []warmer.ImageStatus{d.image()} }
func (d *domain) Hosts() []warmer.HostStatus   { return []warmer.HostStatus{{Name: "a"}} }

func (d *domain) Approve(_ context.Context, name, digest, who string) (warmer.Rollout, error) {
	d.acts = append(d.acts, strings.Join([]string{"approve", name, digest, who}, " "))
	return d.image().Tracks[0].Current.Rollout, nil
}

func (d *domain) Rollback(_ context.Context, name, digest, who string) (warmer.Rollout, error) {
	d.acts = append(d.acts, strings.Join([]string{"rollback", name, digest, who}, " "))
	return d.image().Tracks[0].Current.Rollout, nil
}

func (d *domain) Hold(_ context.Context, image, who string) error {
	d.acts = append(d.acts, strings.Join([]string{"hold", image, who}, " "))
	return nil
}

func (d *domain) Unhold(_ context.Context, image, who string) error {
	d.acts = append(d.acts, strings.Join([]string{"unhold", image, who}, " "))
	return nil
}

func (d *domain) History(_ context.Context, image string, limit int) ([]warmer.Rollout, []warmer.Act, error) {
	rollouts := []warmer.Rollout{
		{ID: "1", Track: warmer.TrackID{Image: odd, Tag: "latest"}, Pin: d.pin(1), Phase: warmer.Current},
		{ID: "0", Track: warmer.TrackID{Image: odd, Tag: "latest"}, Pin: d.pin(2), Phase: warmer.Superseded},
	}
	return rollouts[:min(limit, 2)], []warmer.Act{{ID: "1", Verb: warmer.Holding, Who: "ada"}}, d.know(image, problem.ImageNotManaged)
}

func (d *domain) Pause(_ context.Context, what warmer.Activity, host, who string) error {
	d.acts = append(d.acts, strings.Join([]string{"pause", string(what), host, who}, " "))
	return nil
}

func (d *domain) Resume(_ context.Context, what warmer.Activity, host, who string) error {
	d.acts = append(d.acts, strings.Join([]string{"resume", string(what), host, who}, " "))
	return nil
}

func (d *domain) Pauses() []warmer.Pause { return []warmer.Pause{{What: warmer.Watching, Who: "ada"}} }

func (d *domain) Events(_ context.Context, after int64, follow bool, fn func(warmer.Event) error) error {
	for n := after + 1; n <= int64(d.lines); n++ {
		if err := fn(warmer.Event{Seq: n, Kind: warmer.PersonActed, State: "hold"}); err != nil {
			return err
		}
	}
	if follow {
		return fn(warmer.Event{Seq: int64(d.lines) + 1, Kind: warmer.HostChanged, Host: "a"})
	}
	return nil
}

func (d *domain) Describe(_ context.Context, pin registry.Pin, _ registry.Platform) (registry.Image, error) {
	return registry.Image{Pin: pin}, nil
}

func (d *domain) Submit(_ context.Context, spec runner.Spec, waitWarm time.Duration) (runner.Run, error) {
	d.spec, d.waitWarm = spec, waitWarm
	return d.run(), nil
}

func (d *domain) Get(_ context.Context, id string) (runner.Run, error) {
	return d.run(), d.know(id, problem.RunNotFound)
}

func (d *domain) Cancel(ctx context.Context, id string) (runner.Run, error) { return d.Get(ctx, id) }

func (d *domain) Wait(ctx context.Context, id string) (runner.Run, error) { return d.Get(ctx, id) }

func (d *domain) List(context.Context, int) ([]runner.Run, error) { return []runner.Run{d.run()}, nil }

func (d *domain) InUse() map[string]runner.Slots {
	return map[string]runner.Slots{"a": {InUse: 1, All: 2}}
}

func (d *domain) Logs(_ context.Context, _ string, after int64, follow bool, fn func(runner.Entry) error) error {
	for n := after + 1; n <= int64(d.lines); n++ {
		if err := fn(runner.Entry{Seq: n, Stream: runner.Stderr, Text: fmt.Sprint("line ", n)}); err != nil {
			return err
		}
	}
	if follow {
		return fn(runner.Entry{Seq: int64(d.lines) + 1, Stream: runner.Stdout, Text: "last", Open: true})
	}
	return nil
}

// expectCode checks an error's code.
func expectCode(t *testing.T, err error, want problem.Code) {
	t.Helper()
	if err == nil || problem.CodeOf(err) != want {
		t.Fatalf("got %v (%s), want %s", err, problem.CodeOf(err), want)
	}
}

// problemOf checks an error's code and gives its problem.
func problemOf(t *testing.T, err error, want problem.Code) *problem.Error {
	t.Helper()
	expectCode(t, err, want)
	return problem.From(err)
}
