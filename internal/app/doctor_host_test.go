package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// exam is a patient that answers what it says.
type exam struct {
	engine    warmer.Engine
	anyone    bool
	down      error // of every call
	anyoneErr error
	instances []string
	listErr   error
	unreached map[string]error // by registry
}

func (e exam) Examine(context.Context) (warmer.Engine, error) { return e.engine, e.down }
func (e exam) AnswersAnyone(context.Context) (bool, error)    { return e.anyone, e.anyoneErr }
func (e exam) Instances(context.Context) ([]string, error)    { return e.instances, e.listErr }
func (e exam) ReachRegistry(_ context.Context, r registry.Ref) error {
	return e.unreached[r.Repository().Host()]
}

func ref(t *testing.T, text string) registry.Ref {
	t.Helper()
	r, err := registry.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExamine(t *testing.T) {
	t.Parallel()
	healthy := warmer.Engine{
		Version: "29.0.1", APIVersion: "1.52", ImageStore: "containerd", Platform: registry.Platform{OS: "linux", Architecture: "arm64"},
		Disk: warmer.Disk{Free: 50 << 30, Total: 100 << 30}, ClockOffset: -time.Second,
	}
	with := func(change func(*warmer.Engine)) warmer.Engine {
		e := healthy
		change(&e)
		return e
	}
	unix, plain := config.Host{Endpoint: "unix:///s"}, config.Host{Endpoint: "tcp://h:2375", Insecure: true}
	secured := config.Host{Endpoint: "tcp://h:2376", TLS: &config.HostTLS{}}
	denied := problem.New(problem.RegistryUnavailable, "certificate of unknown authority", "add it")
	const good = "ok reachable: engine 29.0.1, API 1.52, containerd image store, linux/arm64"
	const clock, disk = "ok clock: the clock is right", "ok disk: 50.0 GiB of 100.0 GiB are free where the engine keeps images"
	tests := map[string]struct {
		host    config.Host
		patient exam
		refs    []hostRef
		want    []string
	}{
		"healthy":     {unix, exam{engine: healthy}, nil, []string{good, clock, disk}},
		"unreachable": {secured, exam{down: problem.New(problem.HostUnreachable, "nobody there", "start it")}, nil, []string{"fail reachable: nobody there -> start it"}},
		"old": {
			unix,
			exam{engine: with(func(e *warmer.Engine) { e.APIVersion = "1.40" })},
			nil,
			[]string{"warn reachable: engine 29.0.1, API 1.40, containerd image store, linux/arm64: older than anything that Prewarm is tested with -> upgrade the engine to 20.10 or later", clock, disk},
		},
		"behind": {
			unix,
			exam{engine: with(func(e *warmer.Engine) { e.ClockOffset = -90 * time.Second })},
			nil,
			[]string{good, "warn clock: the engine's clock is 1m30s behind this machine's -> let both machines keep time (chronyd, systemd-timesyncd)", disk},
		},
		"ahead by what does not matter": {unix, exam{engine: with(func(e *warmer.Engine) { e.ClockOffset = 2 * time.Second })}, nil, []string{good, clock, disk}},
		"without a time": {
			unix,
			exam{engine: with(func(e *warmer.Engine) { e.ClockOffset = 0 })},
			nil,
			[]string{good, "ok clock: the engine tells no time that can be compared, or exactly ours", disk},
		},
		"full": {
			unix,
			exam{engine: with(func(e *warmer.Engine) { e.Disk.Free = 9 << 30 })},
			nil,
			[]string{good, clock, "warn disk: 9.0 GiB of 100.0 GiB are free where the engine keeps images -> remove images that nobody needs, or give the disk more room"},
		},
		"of unknown room": {
			unix,
			exam{engine: with(func(e *warmer.Engine) { e.Disk = warmer.Disk{} })},
			nil,
			[]string{good, clock, "ok disk: free space is not known: the engine's API does not tell, and it can't be seen from here"},
		},
		"plain tcp": {
			plain,
			exam{engine: healthy, anyone: true},
			nil,
			[]string{good, "warn tls: plain tcp: whoever reaches the port is root on that machine -> give the engine certificates (prewarm host enroll), and write tls: in place of insecure: true", clock, disk},
		},
		"tls": {secured, exam{engine: healthy}, nil, []string{good, "ok tls: the engine wants a client certificate, and takes ours", clock, disk}},
		"tls for anyone": {
			secured,
			exam{engine: healthy, anyone: true},
			nil,
			[]string{
				good, "fail tls: the engine answers without a client certificate: whoever reaches the port is root on that machine -> start dockerd with --tlsverify and --tlscacert, as prewarm host enroll prints it",
				clock, disk,
			},
		},
		"tls that can't be tried": {secured, exam{engine: healthy, anyoneErr: errors.New("cut")}, nil, []string{good, "warn tls: cut", clock, disk}},
		"of one installation":     {unix, exam{engine: healthy, instances: []string{"a"}}, nil, []string{good, clock, disk}},
		"of two installations": {
			unix,
			exam{engine: healthy, instances: []string{"a", "b"}},
			nil,
			[]string{
				good, clock, disk,
				"warn shared: markers of 2 installations of Prewarm are here (a, b); two at work may prune what the other keeps warm -> give each hosts of its own; of one that is gone, remove the marker: docker volume rm prewarm-ID",
			},
		},
		"that lists no volumes": {unix, exam{engine: healthy, listErr: errors.New("forbidden")}, nil, []string{good, clock, disk, "warn shared: forbidden -> let GET /volumes through to the engine, or look there: docker volume ls --filter label=prewarm.marker"}},
		"registries": {
			unix,
			exam{engine: healthy, unreached: map[string]error{"a.test": denied, "m.test": denied}},
			[]hostRef{{ref: ref(t, "a.test/x")}, {ref: ref(t, "b.test/x")}, {ref: ref(t, "m.test/x"), mirror: true}},
			[]string{
				good, clock, disk, "fail registry a.test: certificate of unknown authority -> add it",
				"ok registry b.test: the engine reaches it and accepts its certificate", "warn registry m.test: certificate of unknown authority -> add it",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &chart{about: "host h"}
			c.examine(t.Context(), test.patient, test.host, test.refs)
			var got []string
			for _, f := range c.findings {
				text := string(f.Level) + " " + f.Check + ": " + f.What
				if f.Mend != "" {
					text += " -> " + f.Mend
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A host is asked for each registry that its images come from, and for mirrors.
func TestRefsOf(t *testing.T) {
	t.Parallel()
	image := func(repo, tag string, hosts map[string]string) config.Image {
		return config.Image{Repository: ref(t, repo).Repository(), Track: config.Track{Tag: tag}, Hosts: hosts}
	}
	c := &config.Config{
		Registries: []config.Registry{{Name: "a.test", Mirror: "m.test/proxy"}},
		Images: []config.Image{
			image("a.test/x", "v1", nil), image("a.test/y", "v2", nil), image("b.test/x", "", nil), image("c.test/x", "v1", map[string]string{"pool": "other"}),
		},
	}
	var got []string
	for _, r := range refsOf(c, config.Host{Labels: map[string]string{"pool": "etl"}}) {
		got = append(got, r.ref.String()+map[bool]string{true: " mirror"}[r.mirror])
	}
	if want := "a.test/x:v1, m.test/proxy/x:v1 mirror, b.test/x:latest"; strings.Join(got, ", ") != want {
		t.Errorf("got %q", got)
	}
}
