package docker

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// shelf is an engine's images, which it lets be removed by any name.
type shelf struct {
	e       *engine
	mu      sync.Mutex
	names   map[string]string // the image's id by each name
	ids     []string          // the images that are there
	removed []string
	refuse  map[string]string // what it says instead of removing a name
}

func (e *engine) shelf(names map[string]string, ids ...string) *shelf {
	s := &shelf{e: e, names: names, ids: ids, refuse: map[string]string{}}
	e.on("GET /images/", s.inspect)
	e.on("DELETE /images/", s.remove)
	return s
}

func (s *shelf) inspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/images/"), "/json")
	id := name
	if of, ok := s.names[name]; ok {
		id = of
	}
	if !slices.Contains(s.ids, id) {
		fault(http.StatusNotFound, "no such image")(w, r)
		return
	}
	tags, digests := []string{}, []string{}
	for name, of := range s.names {
		if of == id && strings.Contains(name, "@") {
			digests = append(digests, fmt.Sprintf("%q", name))
		} else if of == id {
			tags = append(tags, fmt.Sprintf("%q", name))
		}
	}
	reply(http.StatusOK, fmt.Sprintf(`{"Id":%q,"RepoTags":[%s],"RepoDigests":[%s]}`, id, strings.Join(tags, ","), strings.Join(digests, ",")))(w, r)
}

func (s *shelf) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.RawQuery != "" {
		s.e.t.Errorf("removed with %q, want neither force nor noprune", r.URL.RawQuery)
	}
	name := strings.TrimPrefix(r.URL.Path, "/images/")
	if why, ok := s.refuse[name]; ok {
		fault(http.StatusConflict, why)(w, r)
		return
	}
	if _, ok := s.names[name]; !ok && !slices.Contains(s.ids, name) {
		fault(http.StatusNotFound, "no such image")(w, r)
		return
	}
	s.removed = append(s.removed, name)
	delete(s.names, name)
	s.ids = slices.DeleteFunc(s.ids, func(id string) bool { return id == name })
	reply(http.StatusOK, `[]`)(w, r)
}

func TestRemoveImage(t *testing.T) {
	t.Parallel()
	pin := pinA(t)
	keep := "reg.test/etl/jobs:prewarm-" + pin.Digest().Hex()
	for _, c := range []struct {
		name    string
		names   map[string]string
		r       warmer.Removal
		removed []string
		want    warmer.Removed
	}{
		{"gone", nil, warmer.Removal{ID: config2, Pins: []registry.Pin{pin}}, nil, warmer.Removed{Gone: true}},
		{
			"the keep-tag, and the rest by its id",
			map[string]string{keep: config1},
			warmer.Removal{ID: config1, Pins: []registry.Pin{pin}, Whole: true},
			[]string{keep, config1},
			warmer.Removed{Gone: true},
		},
		{
			"not the rest",
			map[string]string{keep: config1},
			warmer.Removal{ID: config1, Pins: []registry.Pin{pin}},
			[]string{keep},
			warmer.Removed{},
		},
		{
			"not what has a name",
			map[string]string{keep: config1, "reg.test/etl/jobs:v1": config1, pin.String(): config1},
			warmer.Removal{ID: config1, Pins: []registry.Pin{pin}, Whole: true},
			[]string{keep},
			warmer.Removed{},
		},
		{
			"tags before digests",
			map[string]string{"docker.io/library/node:22": config1, pin.String(): config1, "reg.test/etl/jobs:v1": config1},
			warmer.Removal{ID: config1, Names: []string{pin.String(), "docker.io/library/node:22", "reg.test/etl/jobs:v1"}},
			[]string{"docker.io/library/node:22", "reg.test/etl/jobs:v1", pin.String()},
			warmer.Removed{},
		},
		{
			"a digest below a tag stays",
			map[string]string{pin.String(): config1, "reg.test/etl/jobs:v1": config1},
			warmer.Removal{ID: config1, Names: []string{pin.String()}},
			nil,
			warmer.Removed{Left: []string{pin.String()}},
		},
		{
			"a tag that moved",
			map[string]string{keep: config1, "reg.test/etl/jobs:v1": config2},
			warmer.Removal{ID: config1, Pins: []registry.Pin{pin}, Names: []string{"reg.test/etl/jobs:v1"}, Whole: true},
			[]string{keep, config1},
			warmer.Removed{Gone: true},
		},
		{
			"a name that is gone",
			map[string]string{keep: config1},
			warmer.Removal{ID: config1, Names: []string{"reg.test/etl/jobs:v1"}},
			nil,
			warmer.Removed{},
		},
	} {
		e := newEngine(t)
		e.on("GET /containers/json", reply(http.StatusOK, `[]`))
		ids := []string{config1, config2}
		if c.name == "gone" {
			ids = ids[:1]
		}
		s := e.shelf(c.names, ids...)
		got, err := e.host().RemoveImage(t.Context(), c.r)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: RemoveImage: %v (-want +got):\n%s", c.name, err, diff)
		}
		if !slices.Equal(s.removed, c.removed) {
			t.Errorf("%s: removed %q, want %q", c.name, s.removed, c.removed)
		}
	}
}

func TestRemoveImageInUse(t *testing.T) {
	t.Parallel()
	pin := pinA(t)
	keep := "reg.test/etl/jobs:prewarm-" + pin.Digest().Hex()
	const why = "conflict: unable to remove repository reference (must force) - container 0123 is using its referenced image"
	for _, c := range []struct {
		name, containers string
		refuse           map[string]string
		says             string
		removed          []string
	}{
		{"one is there", fmt.Sprintf(`[{"Id":"c1","Names":["/job"],"ImageID":%q}]`, config1), nil, "container job is made of it", nil},
		{"one came in between", `[]`, map[string]string{"reg.test/etl/jobs:v1": why}, why, []string{keep}},
		{"of an image built on it", fmt.Sprintf(`[{"Id":"c1","Names":["/job"],"ImageID":%q}]`, config2), map[string]string{keep: why}, why, nil},
	} {
		e := newEngine(t)
		e.on("GET /containers/json", func(w http.ResponseWriter, r *http.Request) {
			if got, want := r.URL.Query().Get("filters"), fmt.Sprintf(`{"ancestor":{%q:true}}`, config1); got != want || r.URL.Query().Get("all") != "1" {
				t.Errorf("listed %s, want all with %s", r.URL.RawQuery, want)
			}
			reply(http.StatusOK, c.containers)(w, r)
		})
		s := e.shelf(map[string]string{keep: config1, "reg.test/etl/jobs:v1": config1}, config1)
		s.refuse = c.refuse
		_, err := e.host().RemoveImage(t.Context(), warmer.Removal{ID: config1, Pins: []registry.Pin{pin}, Names: []string{"reg.test/etl/jobs:v1"}, Whole: true})
		wantCode(t, c.name, err, problem.ImageInUse)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "response from daemon") || problem.From(err).Mend == "" {
			t.Errorf("%s: %v, want it to say %q and a mend", c.name, err, c.says)
		}
		if !slices.Equal(s.removed, c.removed) {
			t.Errorf("%s: removed %q, want %q", c.name, s.removed, c.removed)
		}
	}
}

func TestRemoveImageFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inspect, containers, remove http.HandlerFunc
		want                        problem.Code
	}{
		"no answer":               {hangUp, nil, nil, problem.HostUnreachable},
		"no list":                 {nil, fault(http.StatusInternalServerError, "no"), nil, problem.EngineAPI},
		"no removal":              {nil, nil, fault(http.StatusInternalServerError, "no"), problem.EngineAPI},
		"gone when it was listed": {nil, fault(http.StatusNotFound, "no such image"), nil, ""},
	} {
		e := newEngine(t)
		answer := func(given, usual http.HandlerFunc) http.HandlerFunc {
			if given != nil {
				return given
			}
			return usual
		}
		e.on("GET /images/", answer(c.inspect, reply(http.StatusOK, fmt.Sprintf(`{"Id":%q}`, config1))))
		e.on("GET /containers/json", answer(c.containers, reply(http.StatusOK, `[]`)))
		e.on("DELETE /images/", answer(c.remove, reply(http.StatusOK, `[]`)))
		_, err := e.host().RemoveImage(t.Context(), warmer.Removal{ID: config1, Pins: []registry.Pin{pinA(t)}})
		wantCode(t, name, err, c.want)
	}
}
