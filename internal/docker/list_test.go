package docker

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// samePins lets cmp see into pins.
var samePins = cmp.Comparer(func(a, b registry.Pin) bool { return a == b })

// stocks answers what a list asks of one image with two layers and these
// containers.
func (e *engine) stocks(names string, size int64, containers string) {
	e.on("GET /images/json", reply(http.StatusOK, fmt.Sprintf(`[{"Id":%q,"Created":1700000000,"Size":%d,"SharedSize":4,%s}]`, config1, size, names)))
	e.on("GET /images/"+config1+"/json", reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"Size":9,"RootFS":{"Type":"layers","Layers":[%q,%q]}}`, config1, digestA, digestB)))
	e.on("GET /images/"+config1+"/history", reply(http.StatusOK, `[{"Size":0},{"Size":3},{"Size":0},{"Size":6}]`))
	e.on("GET /containers/json", reply(http.StatusOK, containers))
}

const (
	someNames = `"RepoTags":["node:22","reg.test/etl/jobs:prewarm-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","reg.test/etl/jobs:prewarm-1",` +
		`"reg.test/etl/jobs@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","<none>:<none>","Odd/name:1"],` +
		`"RepoDigests":["<none>@<none>","reg.test/etl/jobs@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","node@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]`
	noNames = `"RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"]`
)

func list(t *testing.T, h *Host) []warmer.Listed {
	t.Helper()
	all, err := h.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return all
}

func TestList(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.stocks(someNames, 9, fmt.Sprintf(`[
		{"Id":"c3","Names":["/other/alias","/ended"],"ImageID":%[1]q,"State":"exited","Created":1700000003},
		{"Id":"c2","Names":["/created"],"ImageID":%[1]q,"State":"created","Created":1700000002,"Labels":{"prewarm.instance":"inst"}},
		{"Id":"c4","Names":["/other"],"ImageID":%[2]q,"State":"exited","Created":1700000004},
		{"Id":"c5","Names":["/gone"],"ImageID":%[1]q,"State":"removing","Created":1700000005},
		{"Id":"c6","Names":["/lame"],"ImageID":%[1]q,"State":"dead","Created":1700000006}]`, config1, config2))
	e.on("GET /containers/c3/json", reply(http.StatusOK, `{"Id":"c3","State":{"Status":"exited","StartedAt":"2025-01-02T03:04:05Z","FinishedAt":"2025-01-02T03:04:04.9993Z"}}`))
	e.on("GET /containers/c5/json", fault(http.StatusNotFound, "no such container"))
	e.on("GET /containers/c6/json", fault(http.StatusInternalServerError, "it is broken"))
	h := e.host()
	want := []warmer.Listed{{
		ID: config1, Pins: []registry.Pin{pinA(t)}, Tags: []string{"Odd/name:1", "docker.io/library/node:22", "reg.test/etl/jobs:prewarm-1"},
		Digests: []string{"docker.io/library/node@" + digestB, pinA(t).String()},
		Built:   time.Unix(1700000000, 0).UTC(), Bytes: 9, Unique: -1,
		Layers: []prune.Layer{{ID: digestA, Bytes: 6}, {ID: chain([]string{digestA, digestB})[1], Bytes: 3}}, Exact: true,
		Containers: []warmer.ContainerOf{
			{ID: "c2", Name: "created", Ours: true, Used: time.Unix(1700000002, 0).UTC()},
			{ID: "c3", Name: "ended", Used: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)},
			{ID: "c6", Name: "lame", Used: time.Unix(1700000006, 0).UTC()},
		},
	}}
	for range 2 {
		if diff := cmp.Diff(want, list(t, h), samePins); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
	}
	for call, times := range map[string]int{"GET /images/" + config1 + "/json": 1, "GET /images/" + config1 + "/history": 1, "GET /containers/c3/json": 1} {
		if n := e.count(call); n != times {
			t.Errorf("%d of %s for two lists, want %d", n, call, times)
		}
	}
	list(t, h)[0].Layers[0].Bytes = 0 // a caller's own
	if got := list(t, h)[0].Layers[0].Bytes; got != 6 {
		t.Errorf("what a caller changed is told to the next: %d", got)
	}
}

func TestListWithSharedSizes(t *testing.T) {
	t.Parallel()
	e := newVersion(t, "1.42")
	e.stocks(noNames, 9, `[]`)
	want := []warmer.Listed{{
		ID: config1, Built: time.Unix(1700000000, 0).UTC(), Bytes: 9, Unique: 5,
		Layers: []prune.Layer{{ID: digestA, Bytes: 6}, {ID: chain([]string{digestA, digestB})[1], Bytes: 3}}, Exact: true,
	}}
	if diff := cmp.Diff(want, list(t, e.host()), samePins); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

// TestListOfTheContainerdStore: what is packed goes with what is unpacked.
func TestListOfTheContainerdStore(t *testing.T) {
	t.Parallel()
	e := startEngine(t, "1.51", `{"OSType":"linux","Architecture":"x86_64","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}`)
	e.stocks(noNames, 18, `[]`)
	got := list(t, e.host())
	if len(got) != 1 || got[0].Bytes != 18 || got[0].Exact || got[0].Layers[0].Bytes != 12 || got[0].Layers[1].Bytes != 6 || got[0].Unique != 14 {
		t.Errorf("List = %+v, want 18 bytes: twice of what is unpacked", got)
	}
}

// TestListLearnsAnew: what was remembered holds for its size, and for as long as
// the image is there.
func TestListLearnsAnew(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	one := fmt.Sprintf(`[{"Id":%q,"Size":9}]`, config1)
	e.on("GET /images/json", sequence(reply(http.StatusOK, one), reply(http.StatusOK, `[]`), reply(http.StatusOK, one),
		reply(http.StatusOK, strings.Replace(one, "9", "10", 1))))
	e.on("GET /images/"+config1+"/json", reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"Size":9,"RootFS":{"Layers":[%q]}}`, config1, digestA)))
	e.on("GET /images/"+config1+"/history", reply(http.StatusOK, `[{"Size":9}]`))
	ended := fmt.Sprintf(`[{"Id":"c1","Names":["/c1"],"ImageID":%q,"State":"exited"}]`, config1)
	e.on("GET /containers/json", reply(http.StatusOK, ended))
	e.on("GET /containers/c1/json", reply(http.StatusOK, `{"Id":"c1","State":{"Status":"exited","FinishedAt":"2025-01-02T03:04:05Z"}}`))
	h := e.host()
	for i, want := range []int{1, 1, 2, 3, 3} {
		list(t, h)
		if n := e.count("GET /images/" + config1 + "/history"); n != want {
			t.Errorf("list %d: the history was read %d times, want %d", i, n, want)
		}
	}
	before := e.count("GET /containers/c1/json")
	h.current().stock.started("c1")
	list(t, h)
	if n := e.count("GET /containers/c1/json"); n != before+1 {
		t.Errorf("a container that ran again was looked at %d times more, want 1", n-before)
	}
}

func TestListOfWhatIsGoneOrBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		inspect, history http.HandlerFunc
		want             []warmer.Listed
		code             problem.Code
	}{
		{"vanished", fault(http.StatusNotFound, "no such image"), nil, nil, ""},
		{
			"broken", fault(http.StatusInternalServerError, "layer does not exist"), nil,
			[]warmer.Listed{{ID: config1, Bytes: 8, Unique: -1, Layers: []prune.Layer{{ID: config1, Bytes: 8}}}},
			"",
		},
		{
			"no layers told", reply(http.StatusOK, `{"Id":"x","Size":7}`), reply(http.StatusOK, `[]`),
			[]warmer.Listed{{ID: config1, Bytes: 7, Unique: -1, Layers: []prune.Layer{{ID: config1, Bytes: 7}}}},
			"",
		},
		{
			"no history", reply(http.StatusOK, `{"Id":"x","Size":7,"RootFS":{"Layers":["sha256:a"]}}`), fault(http.StatusNotFound, "not for this platform"),
			[]warmer.Listed{{ID: config1, Bytes: 7, Unique: -1, Layers: []prune.Layer{{ID: "sha256:a", Bytes: 7}}}},
			"",
		},
		{"no answer", hangUp, nil, nil, problem.HostUnreachable},
		{"no answer of the history", reply(http.StatusOK, `{"Id":"x","Size":7}`), hangUp, nil, problem.HostUnreachable},
	} {
		e := newEngine(t)
		e.on("GET /images/json", reply(http.StatusOK, fmt.Sprintf(`[{"Id":%q,"Size":8}]`, config1)))
		e.on("GET /containers/json", reply(http.StatusOK, `[]`))
		e.on("GET /images/"+config1+"/json", c.inspect)
		if c.history != nil {
			e.on("GET /images/"+config1+"/history", c.history)
		}
		got, err := e.host().List(t.Context())
		wantCode(t, c.name, err, c.code)
		if diff := cmp.Diff(c.want, got, samePins); diff != "" {
			t.Errorf("%s: List (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestListIsBounded: an engine is asked for a few images at a time.
func TestListIsBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf(`{"Id":"sha256:%064x","Size":1}`, i))
	}
	e.on("GET /images/json", reply(http.StatusOK, "["+strings.Join(all, ",")+"]"))
	e.on("GET /containers/json", reply(http.StatusOK, `[]`))
	var mu sync.Mutex
	now, most := 0, 0
	count := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		now += d
		most = max(most, now)
	}
	e.on("GET /images/{id}/history", reply(http.StatusOK, `[{"Size":1}]`))
	e.on("GET /images/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		count(1)
		time.Sleep(5 * time.Millisecond)
		count(-1)
		reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"Size":1,"RootFS":{"Layers":["sha256:a"]}}`, r.PathValue("id")))(w, r)
	})
	got := list(t, e.host())
	if len(got) != 40 || most > listers {
		t.Errorf("%d images, up to %d at once; want 40, at most %d", len(got), most, listers)
	}
}
