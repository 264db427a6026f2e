package hints_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer/hints"
)

func TestAPushIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		begun := time.Now()
		if a := s.push("image-1", "latest", 1); a.Verdict != hints.Accepted || a.Events != 1 || !slices.Equal(a.Images, []string{"image-1"}) {
			t.Errorf("%+v", a)
		}
		d := s.last()
		if looks := s.images.seen(); len(looks) != 1 || looks[0] != (lookedAt{begun, "image-1", "latest", string(digest(1))}) {
			t.Errorf("%+v", looks)
		}
		if d.Led != "new digest "+string(digest(1)) || d.Verdict != hints.Accepted || d.From != "10.0.0.1" || d.Stands != 1 {
			t.Errorf("%+v", d)
		}
		s.push("image-1", "latest", 1)
		if d := s.last(); d.Led != "looked: nothing new" {
			t.Errorf("%+v", d)
		}
	})
}

// Many hints are one look for each token of the limit, and the last of them is
// after the last hint.
func TestAFloodOfHintsCostsAFewLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(10))
		begun := time.Now()
		for n := range 10_000 {
			s.push(fmt.Sprintf("image-%d", n%10), "latest", n)
			time.Sleep(time.Millisecond)
		}
		flood := time.Since(begun)
		time.Sleep(5 * time.Minute)
		counts, last := make(map[string]int), make(map[string]lookedAt)
		for _, l := range s.images.seen() {
			counts[l.image]++
			last[l.image] = l
		}
		for i := range 10 {
			image := fmt.Sprintf("image-%d", i)
			// Three at once, one each 5 s of the ten, and the last one.
			if n := counts[image]; n > 6 {
				t.Errorf("%s was looked at %d times in %s", image, n, flood)
			}
			if l := last[image]; l.saw != string(digest(9990+i)) || l.at.After(begun.Add(flood+5*time.Second)) {
				t.Errorf("%s was seen last after %s: %+v", image, l.at.Sub(begun), l)
			}
		}
		for _, d := range s.disk.all() {
			if d.Led == "" {
				t.Fatalf("nobody knows what became of %+v", d)
			}
		}
	})
}

// Whatever comes when, the last state is looked at, and no image more often than
// it may be.
func TestTheLastStateIsLookedAt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		waits := rapid.SliceOfN(rapid.IntRange(0, 4000), 1, 60).Draw(rt, "milliseconds between pushes")
		takes := rapid.IntRange(0, 3000).Draw(rt, "milliseconds a look takes")
		tagless := rapid.SliceOfN(rapid.Bool(), len(waits), len(waits)).Draw(rt, "without a tag")
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, setup(1))
			s.images.takes = time.Duration(takes) * time.Millisecond
			begun := time.Now()
			for n, wait := range waits {
				if tagless[n] {
					s.images.show("image-0", "latest", digest(n))
					s.tell(event{repository: "etl/image-0", digest: digest(n)})
				} else {
					s.push("image-0", "latest", n)
				}
				time.Sleep(time.Duration(wait) * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
			took := time.Since(begun)
			looks := s.images.seen()
			if last := looks[len(looks)-1]; last.saw != string(digest(len(waits)-1)) {
				rt.Errorf("the last look saw %s", last.saw)
			}
			if most := 3 + int(took/(5*time.Second)); len(looks) > most {
				rt.Errorf("%d looks in %s", len(looks), took)
			}
			s.stop()
		})
	})
}

// A digest that the tag does not show yet is looked for again, and no longer
// once it is there or a newer hint has come.
func TestATagThatLagsIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	since := func(begun time.Time, looks []lookedAt) (all []time.Duration) {
		for _, l := range looks {
			all = append(all, l.at.Sub(begun))
		}
		return all
	}
	const early = 200 * time.Millisecond
	for name, c := range map[string]struct {
		befalls func(s *scene)
		want    []time.Duration
		led     string
	}{
		"never": {func(*scene) {}, []time.Duration{0, early, 2 * time.Second, 10 * time.Second, time.Minute}, "looked: nothing new, and not " + string(digest(2)) + "; left to the schedule"},
		"after a while": {func(s *scene) {
			time.Sleep(5 * time.Second)
			s.images.show("image-1", "latest", digest(2))
		}, []time.Duration{0, early, 2 * time.Second, 10 * time.Second}, "new digest " + string(digest(2))},
		"newer hint": {func(s *scene) {
			time.Sleep(6 * time.Second)
			s.push("image-1", "latest", 3)
		}, []time.Duration{0, early, 2 * time.Second, 6 * time.Second}, "new digest " + string(digest(3))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, setup(2))
				s.push("image-1", "latest", 1)
				time.Sleep(time.Hour)
				s.images.seen()
				begun := time.Now()
				s.tell(event{repository: "etl/image-1", tag: "latest", digest: digest(2)})
				c.befalls(s)
				time.Sleep(time.Hour)
				if got := since(begun, s.images.seen()); !slices.Equal(got, c.want) {
					t.Errorf("looked at after %v, want %v", got, c.want)
				}
				if d := s.last(); d.Led != c.led {
					t.Errorf("led to %q, want %q", d.Led, c.led)
				}
			})
		})
	}
}

// A tag that is not there yet lags, too.
func TestATagThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(1))
		s.tell(event{repository: "etl/image-0", tag: "v2", digest: digest(2)})
		if d := s.last(); d.Led != "looked: the tag is not there, and not "+string(digest(2))+" yet" {
			t.Errorf("%q", d.Led)
		}
		s.images.show("image-0", "v2", digest(2))
		time.Sleep(3 * time.Second)
		if d := s.last(); d.Led != "new digest "+string(digest(2)) || len(s.images.seen()) != 2 {
			t.Errorf("%q", d.Led)
		}
	})
}

// The children of a push for several platforms come first and by digest alone.
func TestAHintWithoutATagWaitsForOneWithATag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		for n := range 5 {
			s.tell(event{repository: "etl/image-1", digest: digest(100 + n)})
			time.Sleep(50 * time.Millisecond)
		}
		s.push("image-1", "latest", 1)
		time.Sleep(time.Hour)
		if looks := s.images.seen(); len(looks) != 1 || looks[0].tags != "latest" {
			t.Errorf("%+v", looks)
		}
		for _, d := range s.disk.all() {
			if d.Led != "new digest "+string(digest(1)) {
				t.Errorf("%+v", d)
			}
		}
		begun := time.Now()
		s.tell(event{repository: "etl/image-1", digest: digest(200)})
		time.Sleep(time.Hour)
		if looks := s.images.seen(); len(looks) != 1 || looks[0].tags != "" || looks[0].at.Sub(begun) != 500*time.Millisecond {
			t.Errorf("%+v", looks)
		}
	})
}

// A sender that invents tags without end gets one look at all of them.
func TestManyTagsAreOneLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(1))
		s.images.pause(true)
		var events []event
		for n := range 900 {
			events = append(events, event{repository: "etl/image-0", tag: fmt.Sprint("v", n)})
		}
		s.tell(events...)
		time.Sleep(time.Second)
		s.images.pause(false)
		synctest.Wait()
		if looks := s.images.seen(); len(looks) != 1 || looks[0].tags != "" {
			t.Errorf("%d looks", len(looks))
		}
	})
}

func TestHintsWaitWhileWatchingIsPaused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(3))
		s.images.pause(true)
		for n := range 20 {
			s.push("image-1", "latest", n)
			s.push("image-2", "latest", n)
		}
		time.Sleep(24 * time.Hour)
		if looks := s.images.seen(); len(looks) > 0 {
			t.Errorf("looked in a pause: %+v", looks)
		}
		s.images.pause(false)
		synctest.Wait()
		looks := s.images.seen()
		if len(looks) != 2 || looks[0].saw != string(digest(19)) || looks[1].saw != string(digest(19)) {
			t.Errorf("%+v", looks)
		}
	})
}

func TestAFailedLookIsTakenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		s.images.fail(problem.New(problem.RegistryUnavailable, "registry.test is down", ""))
		s.push("image-1", "latest", 1)
		if d := s.last(); d.Led != "failed: registry.test is down" {
			t.Errorf("%q", d.Led)
		}
		time.Sleep(20 * time.Second)
		s.images.fail(nil)
		time.Sleep(time.Hour)
		looks := s.images.seen()
		// After about 1, 3, 7, 15 and 31 s, as far as the limit lets it.
		if n := len(looks); n < 4 || n > 6 || looks[n-1].saw != string(digest(1)) {
			t.Errorf("%+v", looks)
		}
		if d := s.last(); d.Led != "new digest "+string(digest(1)) {
			t.Errorf("%q", d.Led)
		}
	})
}

// The sender of a hint was told that it arrived: a registry that is down for a day
// delays what it leads to, and takes nothing away.
func TestARegistryThatStaysDownIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		s.images.fail(errors.Join(problem.New(problem.TagNotFound, "no such tag", ""), problem.New(problem.RegistryUnavailable, "down", "")))
		s.push("image-1", "latest", 1)
		time.Sleep(24 * time.Hour)
		if n := len(s.images.seen()); n < 100 || n > 160 { // one in ten minutes and a little
			t.Errorf("%d looks", n)
		}
		if d := s.last(); !strings.HasPrefix(d.Led, "failed: ") {
			t.Errorf("%q", d.Led)
		}
		s.images.fail(nil)
		time.Sleep(12 * time.Minute)
		if d := s.last(); d.Led != "new digest "+string(digest(1)) {
			t.Errorf("%q", d.Led)
		}
	})
}

// What the registry asks for holds for later hints, too.
func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		busy := problem.New(problem.RegistryLimited, "too many requests", "")
		busy.RetryAfter = time.Minute
		s.images.fail(busy)
		begun := time.Now()
		for n := range 50 {
			s.push("image-1", "latest", n)
			time.Sleep(time.Second)
		}
		s.images.fail(nil)
		time.Sleep(time.Hour)
		looks := s.images.seen()
		if len(looks) != 2 || looks[1].at.Sub(begun) < time.Minute || looks[1].saw != string(digest(49)) {
			t.Errorf("%+v", looks)
		}
	})
}

func TestAReloadForgetsWhatItTakesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(3))
		s.images.pause(true)
		s.push("image-1", "latest", 1)
		s.push("image-2", "latest", 1)
		synctest.Wait()
		moved := setup(3)
		moved.Images[2].Repository = repo(host + "/etl/moved")
		moved.Images = slices.Delete(moved.Images, 1, 2) // image-1
		s.r.Use(moved)
		s.images.pause(false)
		time.Sleep(time.Hour)
		if looks := s.images.seen(); len(looks) > 0 {
			t.Errorf("%+v", looks)
		}
		for _, d := range s.disk.all() {
			if d.Led != "failed: the image left the configuration" {
				t.Errorf("%+v", d)
			}
		}
		if a := s.tell(event{repository: "etl/image-1", tag: "latest"}); a.Verdict != hints.Irrelevant {
			t.Errorf("%+v", a)
		}
		s.r.Use(setup(3))
		s.push("image-1", "latest", 2)
		synctest.Wait()
		if looks := s.images.seen(); len(looks) != 1 || looks[0].image != "image-1" {
			t.Errorf("%+v", looks)
		}
	})
}

// At most eight at the same time, and nothing is left when it stops: the bubble
// would say so.
func TestLooksAreBoundedAndEndWithTheReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(30))
		s.images.takes = time.Minute
		var events []event
		for n := range 30 {
			events = append(events, event{repository: fmt.Sprint("etl/image-", n), tag: "latest", digest: digest(n)})
		}
		s.tell(events...)
		time.Sleep(90 * time.Second)
		if n := s.images.together(); n != 8 {
			t.Errorf("%d looks at the same time", n)
		}
		begun := time.Now()
		s.stop()
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %s to stop", took)
		}
		if _, err := s.r.Receive(t.Context(), "ci", "", signed(body(events...)), ""); problem.CodeOf(err) != problem.Stopping {
			t.Errorf("after its end: %v", err)
		}
	})
}
