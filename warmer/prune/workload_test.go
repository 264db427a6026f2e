package prune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	megabyte = int64(1e6)
	gigabyte = int64(1e9)
)

// workload is what happens on one host for some weeks, whoever prunes it.
type workload struct {
	begin, end time.Time
	events     []event // in the order of time
	contents   []content
	// needed are the times at which a run or a rollback needs a content.
	needed map[int][]time.Time
}

// event is something that happens: a push of a digest, a run or a rollback that
// needs one, others' use of an image, others' build.
type event struct {
	at      time.Time
	kind    eventKind
	content int
	lasts   time.Duration // a container of it
}

type eventKind int

const (
	pushed eventKind = iota
	ran
	rolledBack
	othersRan
	othersBuilt
)

// content is an image, as its digest fixes it.
type content struct {
	job    int // -1: it is not ours
	tag    string
	built  time.Time
	layers []Layer
}

// job is a configured image: how often it is pushed and run.
type job struct {
	pushes, runs time.Duration // between two of them
	at           time.Duration // of the first run
	base         int
	deps, app    int64 // bytes
	depsVersion  int
	current      int
	previous     int
}

// jobs are those of a middling host: services that are pushed several times a
// day and run every two hours, and daily, weekly and monthly jobs.
func jobs(draw *rand.Rand) []*job {
	var all []*job
	add := func(n int, pushes, runs time.Duration) {
		for range n {
			all = append(all, &job{
				pushes: pushes, runs: runs, at: time.Duration(draw.Int64N(int64(runs))), base: draw.IntN(6),
				deps: between(draw, 50*megabyte, 600*megabyte), app: between(draw, 2*megabyte, 60*megabyte), current: -1, previous: -1,
			})
		}
	}
	add(10, day/4, 2*hour)
	add(20, 4*day, day)
	add(10, 10*day, 7*day)
	add(5, 30*day, 28*day)
	return all
}

// between draws by magnitude: small ones are as likely as large ones.
func between(draw *rand.Rand, least, most int64) int64 {
	return int64(float64(least) * math.Pow(float64(most)/float64(least), draw.Float64()))
}

// newWorkload makes the workload of a seed.
func newWorkload(seed uint64, days int) *workload {
	draw := rand.New(rand.NewPCG(seed, 1))
	w := &workload{begin: noon.Truncate(day), needed: map[int][]time.Time{}}
	w.end = w.begin.Add(time.Duration(days) * day)
	w.ours(draw)
	w.others(draw)
	slices.SortStableFunc(w.events, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range w.events {
		if e.kind == ran || e.kind == rolledBack {
			w.needed[e.content] = append(w.needed[e.content], e.at)
		}
	}
	return w
}

// after draws the time to the next of events that come at random.
func after(draw *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(draw.ExpFloat64() * float64(mean))
}

// ours lets each job be pushed, run and now and then rolled back. A push makes
// an app layer, every seventh new dependencies, and takes the base of its day.
func (w *workload) ours(draw *rand.Rand) {
	for n, j := range jobs(draw) {
		push, run := w.begin, w.begin.Add(j.at+hour)
		back := w.end
		for at := w.begin; at.Before(w.end); at = earliest(push, run, back) {
			switch {
			case !push.After(at):
				if j.current < 0 || draw.IntN(7) == 0 {
					j.depsVersion++
				}
				j.previous, j.current = j.current, w.push(n, j, at)
				push, back = at.Add(after(draw, j.pushes)), w.end
				if draw.IntN(25) == 0 && j.previous >= 0 {
					back = at.Add(hour + after(draw, hour))
				}
			case !back.After(at):
				j.current, j.previous, back = j.previous, j.current, w.end
				w.add(event{at: at, kind: rolledBack, content: j.current})
			default:
				w.add(event{at: at, kind: ran, content: j.current, lasts: time.Duration(5+draw.IntN(40)) * time.Minute})
				run = at.Add(j.runs)
			}
		}
	}
}

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

func (w *workload) add(e event) {
	if e.at.Before(w.end) {
		w.events = append(w.events, e)
	}
}

func (w *workload) push(n int, j *job, at time.Time) int {
	c := content{job: n, tag: fmt.Sprintf("registry.test/job%d:latest", n), built: at.Add(-5 * time.Minute), layers: w.base(j.base, at)}
	below := c.layers[len(c.layers)-1].ID
	deps := Layer{fmt.Sprintf("%s/deps%d.%d", below, n, j.depsVersion), j.deps}
	c.layers = append(c.layers, deps, Layer{fmt.Sprintf("%s/app%d", deps.ID, len(w.contents)), j.app})
	w.contents = append(w.contents, c)
	w.add(event{at: at, kind: pushed, content: len(w.contents) - 1})
	return len(w.contents) - 1
}

// base gives a base image, which is made anew every two weeks.
func (w *workload) base(n int, at time.Time) []Layer {
	version := (int(at.Sub(w.begin)/day) + 2*n) / 14
	id := fmt.Sprintf("base%d.%d", n, version)
	return []Layer{{id, int64(60+20*n) * megabyte}, {id + "/2", int64(20+30*n) * megabyte}}
}

// others let people try images of Docker Hub, some of them again and again, and
// build some that stay without a tag.
func (w *workload) others(draw *rand.Rand) {
	first := len(w.contents)
	const hub = 60
	for n := range hub {
		w.contents = append(w.contents, content{
			job: -1, tag: fmt.Sprintf("docker.io/library/hub%d:1", n), built: w.begin.Add(-between2(draw, day, 200*day)),
			layers: []Layer{{fmt.Sprint("hub", n), between(draw, 50*megabyte, 800*megabyte)}},
		})
	}
	popular := rand.NewZipf(draw, 1.2, 4, hub-1)
	for at := w.begin; at.Before(w.end); at = at.Add(after(draw, day/4)) {
		w.add(event{at: at, kind: othersRan, content: first + int(popular.Uint64()), lasts: hour})
	}
	for at := w.begin; at.Before(w.end); at = at.Add(after(draw, day/2)) {
		layers := w.base(draw.IntN(6), at)
		layers = append(layers, Layer{fmt.Sprintf("%s/build%d", layers[1].ID, len(w.contents)), between(draw, 20*megabyte, 300*megabyte)})
		w.contents = append(w.contents, content{job: -1, built: at, layers: layers})
		w.add(event{at: at, kind: othersBuilt, content: len(w.contents) - 1})
	}
}

func between2(draw *rand.Rand, least, most time.Duration) time.Duration {
	return time.Duration(between(draw, int64(least), int64(most)))
}

// currents is the most that the current digests of all jobs take at a time.
func (w *workload) currents() int64 {
	current, most := map[int]Image{}, int64(0)
	for _, e := range w.events {
		if e.kind != pushed && e.kind != rolledBack {
			continue
		}
		current[w.contents[e.content].job] = Image{Layers: w.contents[e.content].layers}
		var images []Image
		for _, img := range current {
			images = append(images, img)
		}
		most = max(most, taken(images))
	}
	return most
}

// neededSoon tells whether a run or a rollback needs a content within a day.
func (w *workload) neededSoon(content int, at time.Time) bool {
	return slices.ContainsFunc(w.needed[content], func(t time.Time) bool { return t.After(at) && t.Sub(at) <= day })
}
