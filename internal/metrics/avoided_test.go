package metrics

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

func TestWhatARunDidNotWaitFor(t *testing.T) {
	t.Parallel()
	pin := pinOf(t, "docker.io/etl/jobs", 1)
	for _, c := range []struct {
		name      string
		submitted time.Duration // after the pull began, which took a minute
		want      time.Duration
	}{
		{"long after the pull", time.Hour, time.Minute},
		{"at its end", time.Minute, time.Minute},
		{"in its middle: the run waited for the rest", 20 * time.Second, 20 * time.Second},
		{"before it: the run waited for all of it", -time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAvoided(10)
			a.pulled("a", pin, noon, time.Minute)
			if _, first := a.started("b", pin, noon.Add(c.submitted)); first {
				t.Error("the run was on another host")
			}
			saved, first := a.started("a", pin, noon.Add(c.submitted))
			if !first || saved != c.want {
				t.Errorf("%s, %t; want %s", saved, first, c.want)
			}
			if _, again := a.started("a", pin, noon.Add(2*time.Hour)); again {
				t.Error("the second run counts, too")
			}
			a.pulled("a", pin, noon, time.Minute) // somebody had removed it
			if _, again := a.started("a", pin, noon.Add(2*time.Hour)); !again {
				t.Error("the first run after another pull does not count")
			}
		})
	}
}

// What was on the host already, or came to nothing, saved nobody anything.
func TestOnlyPullsThatBroughtSomethingCount(t *testing.T) {
	t.Parallel()
	m := New("test")
	m.Use(Names{Images: []string{"jobs"}, Hosts: []string{"a"}, Registries: []string{"docker.io"}})
	for i, pulled := range []struct {
		bytes int64
		err   error
	}{{0, nil}, {1, errTest}} {
		pin := pinOf(t, "docker.io/etl/jobs", i)
		m.Pulled("a", "jobs", pin, time.Minute, pulled.bytes, pulled.err)
		m.Started(runner.Run{Image: "jobs", Host: "a", Pin: pin, Submitted: time.Now().Add(time.Hour)}, time.Second)
	}
	if page := scrape(t, m); !strings.Contains(page, `prewarm_cold_starts_avoided_total{image="jobs"} 0`+"\n") {
		t.Error("they count")
	}
}

// The memory of pulls is a queue of bounded length: it forgets the oldest first,
// and its map and list say the same.
func TestTheMemoryOfPullsIsBounded(t *testing.T) {
	t.Parallel()
	var pins []registry.Pin
	for n := range 8 {
		pins = append(pins, pinOf(t, "docker.io/etl/jobs", n))
	}
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 6).Draw(t, "most")
		a := newAvoided(most)
		var want []copyKey
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			key := copyKey{fmt.Sprint("host", rapid.IntRange(0, 2).Draw(t, "host")), pins[rapid.IntRange(0, 7).Draw(t, "pin")]}
			switch rapid.IntRange(0, 5).Draw(t, "act") {
			case 0:
				_, first := a.started(key.host, key.pin, noon)
				if first != slices.Contains(want, key) {
					t.Fatalf("%v: %t", key, first)
				}
				want = slices.DeleteFunc(want, func(k copyKey) bool { return k == key })
			case 1:
				a.keep([]string{"host0", "host1"})
				want = slices.DeleteFunc(want, func(k copyKey) bool { return k.host == "host2" })
			default:
				a.pulled(key.host, key.pin, noon, time.Second)
				want = append(slices.DeleteFunc(want, func(k copyKey) bool { return k == key }), key)
				want = want[max(0, len(want)-most):]
			}
			if len(a.of) != len(want) || a.order.Len() != len(want) {
				t.Fatalf("%d in the map, %d in the list, want %d", len(a.of), a.order.Len(), len(want))
			}
		}
	})
}

func TestTheLargestLagOfTheLastMoments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLags()
		shows := func(want time.Duration) {
			t.Helper()
			if got := l.largest(time.Now())["a"]; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		l.note("a", 5*time.Second, time.Now())
		l.note("a", time.Second, time.Now())
		shows(5 * time.Second)
		time.Sleep(lagMinute)
		l.note("a", 2*time.Second, time.Now())
		shows(5 * time.Second)
		time.Sleep(lagMinute)
		shows(2 * time.Second)
		time.Sleep(2 * lagMinute)
		shows(0)
	})
}
