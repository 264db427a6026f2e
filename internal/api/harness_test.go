package api_test

import (
	"context"
	"encoding/json"
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
	"github.com/prewarm/prewarm/runner/spool"
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
	s := server.New(server.Options{Images: d, Runs: (*runs)(d), Registry: d, Version: "test", Logger: slog.New(slog.DiscardHandler)})
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
	ask    runner.Ask    // the last submit
	filter runner.Filter // of the last list
	waits  int           // how many waits the run still takes
	hosts  []string      // of the last warm request
	lines  int           // of the run's log; as many events
	acts   []string      // that people did
	prune  warmer.PruneAsk
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
	return runner.Run{
		ID: odd, Asked: d.ask.Spec, Spec: d.ask.Spec, Terms: d.ask.Terms, Image: "jobs",
		State: runner.Failed, ExitCode: 3, Exited: true, Submitted: time.Unix(1, 0),
	}
}

func (d *domain) scope() runner.Scope {
	return runner.Scope{Name: odd, Pins: []runner.ScopePin{{Track: odd, Pin: d.pin(1)}}, Used: time.Unix(2, 0)}
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

// runs is the other half of a domain: both have a method Hosts.
type runs domain

func (r *runs) d() *domain { return (*domain)(r) }

func (r *runs) Submit(_ context.Context, ask runner.Ask) (runner.Answer, error) {
	r.ask = ask
	return runner.Answer{Run: r.d().run(), Joined: ask.Terms.Key != "", Differs: []string{"env"}, Scope: runner.ScopeRenewed}, nil
}

func (r *runs) Check(_ context.Context, ask runner.Ask) (runner.Checked, error) {
	r.ask = ask
	return runner.Checked{Target: runner.Target{Image: odd}, Hosts: []string{odd}, Problems: []error{problem.New(problem.NoCurrent, "none", "wait")}}, nil
}

func (r *runs) Get(_ context.Context, id string) (runner.Run, error) {
	return r.d().run(), r.d().know(id, problem.RunNotFound)
}

func (r *runs) Look(_ context.Context, id string) (runner.Run, error) {
	return r.d().run(), r.d().know(id, problem.RunNotFound)
}

func (r *runs) Namespace(context.Context, string) (string, error) {
	return runner.DefaultNamespace, nil
}

// Wait takes a second for each of waits.
func (r *runs) Wait(ctx context.Context, id string) (runner.Run, error) {
	if r.waits > 0 {
		r.waits--
		<-ctx.Done()
		return runner.Run{ID: odd, State: runner.Running}, nil
	}
	return r.Get(ctx, id)
}

func (r *runs) did(ctx context.Context, verb, id string) (runner.Run, error) {
	r.acts = append(r.acts, verb+" "+id)
	return r.Get(ctx, id)
}

func (r *runs) Cancel(ctx context.Context, id string) (runner.Run, error) {
	return r.did(ctx, "cancel", id)
}

func (r *runs) Withdraw(ctx context.Context, id, word string) (runner.Run, error) {
	return r.did(ctx, "withdraw "+word, id)
}

func (r *runs) Reject(ctx context.Context, id string) (runner.Run, error) {
	return r.did(ctx, "reject", id)
}

func (r *runs) Release(ctx context.Context, id string) (runner.Run, error) {
	return r.did(ctx, "release", id)
}

func (r *runs) List(_ context.Context, f runner.Filter) ([]runner.Run, error) {
	r.filter = f
	return []runner.Run{r.d().run()}, nil
}

func (r *runs) Hosts() map[string]runner.HostUse {
	return map[string]runner.HostUse{"a": {InUse: 1, Slots: 2, Memory: 3, NanoCPUs: 500_000_000}}
}

func (r *runs) Scopes(string) []runner.Scope { return []runner.Scope{r.d().scope()} }

func (r *runs) Scope(_, name string) (runner.Scope, error) {
	return r.d().scope(), r.d().know(name, problem.ScopeNotFound)
}

func (r *runs) EndScope(_ context.Context, _, name string) (runner.Scope, error) {
	s := r.d().scope()
	s.Ended = time.Unix(3, 0)
	return s, r.d().know(name, problem.ScopeNotFound)
}

func (r *runs) Repin(_ context.Context, _, scope, image string, _ []string) (old, now registry.Pin, s runner.Scope, err error) {
	r.acts = append(r.acts, "repin "+scope+" "+image)
	return r.d().pin(1), r.d().pin(2), r.d().scope(), r.d().know(scope, problem.ScopeNotFound)
}

func (r *runs) CopyLog(_ context.Context, _ string, after int64, follow bool, w func([]byte) error) error {
	var chunk []byte
	for n := after + 1; n <= int64(r.lines); n++ {
		chunk = append(chunk, lineOf(spool.Entry{Seq: n, Stream: "stderr", Text: fmt.Sprint("line ", n)})...)
	}
	if follow {
		chunk = append(chunk, lineOf(spool.Entry{Seq: int64(r.lines) + 1, Stream: "stdout", Text: "last", Open: true})...)
	}
	return w(chunk)
}

func lineOf(e spool.Entry) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
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
