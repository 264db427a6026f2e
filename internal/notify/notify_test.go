package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
	"github.com/prewarm/prewarm/test/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The times of the routes that tests make.
const (
	group  = 10 * time.Second
	repeat = 4 * time.Hour
)

var discard = slog.New(slog.DiscardHandler)

// channel keeps what it is sent.
type channel struct {
	inPlace bool
	mu      sync.Mutex
	sent    []notice.Message
	at      []time.Time
	tries   int
	// fail gives the error of a try; nil: none fails.
	fail func(try int, m notice.Message) error
}

func (c *channel) InPlace() bool { return c.inPlace }

func (c *channel) Send(_ context.Context, m notice.Message) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if c.fail != nil {
		if err := c.fail(c.tries, m); err != nil {
			return "", err
		}
	}
	c.sent = append(c.sent, m)
	c.at = append(c.at, time.Now())
	if m.InPlace && m.Earlier != "" {
		return m.Earlier, nil
	}
	return fmt.Sprintf("ref-%d", len(c.sent)), nil
}

func (c *channel) all() []notice.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent)
}

// tried is how often Send was called.
func (c *channel) tried() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tries
}

// times are when messages were taken.
func (c *channel) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at)
}

// scene is a Notifier in a bubble of time.
type scene struct {
	t      *testing.T
	box    *outbox.Memory
	begun  time.Time
	notify *notify.Notifier
	stop   func()
}

// bubble runs a test with a Notifier of routes, in a bubble of time.
func bubble(t *testing.T, test func(s *scene), routes ...notify.Route) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, box: outbox.NewMemory(), begun: time.Now()}
		s.start(routes...)
		defer func() { s.stop() }()
		test(s)
	})
}

func (s *scene) start(routes ...notify.Route) {
	s.t.Helper()
	for i := range routes {
		routes[i].Group = group
		routes[i].Repeat = repeat
	}
	n, err := notify.New(notify.Options{Outbox: s.box, Noticed: s.box.Noticed(), Setup: notify.Setup{Routes: routes}, Logger: discard})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.Run(ctx) })
	s.notify = n
	s.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	synctest.Wait()
}

func (s *scene) tell(events ...notice.Event) {
	s.t.Helper()
	if err := s.box.Tell(s.t.Context(), events...); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
}

func (s *scene) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *scene) states(route string) (all []notice.State) {
	s.t.Helper()
	found, err := s.box.Messages(s.t.Context(), route, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range found {
		all = append(all, m.State)
	}
	return all
}

func warmFailed(host string) notice.Event {
	e := notice.New(notice.WarmFailed)
	e.Image, e.Host, e.Registry, e.Cause = "jobs", host, "registry.test", "registry registry.test"
	e.Detail = "registry.test does not answer"
	return e
}

func hostEvent(kind notice.Kind) notice.Event {
	e := notice.New(kind)
	e.Host, e.Cause = "etl-1", "host etl-1"
	return e
}

func runEvent(kind notice.Kind, id, task string, try int) notice.Event {
	e := notice.New(kind)
	e.Run = &notice.Run{ID: id, Namespace: "default", Task: task, Try: try, Tries: 3, Meta: map[string]string{"customer": "ACME", "process": "invoices"}}
	return e
}

// kindsOf are the kinds of the newest events of messages, in order; those that
// took the place of an earlier one have a plus.
func kindsOf(messages []notice.Message) (all []string) {
	for _, m := range messages {
		text := string(m.Newest().Kind)
		if m.InPlace && m.Earlier != "" {
			text = "+" + text
		}
		all = append(all, text)
	}
	return all
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// One dead registry is one message, whatever it does to how many hosts.
func TestStormIsOneMessage(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{false, true} {
		c := &channel{inPlace: inPlace}
		bubble(t, func(s *scene) {
			for n := range 1000 {
				s.tell(warmFailed(fmt.Sprintf("host-%d", n%20)))
				s.after(5 * time.Millisecond)
			}
			s.after(group)
			sent := c.all()
			if len(sent) != 1 || sent[0].Count != 1000 || len(sent[0].IDs) != 1000 || len(sent[0].Events) != notice.MaxEvents || len(sent[0].Hosts) != 20 {
				s.t.Fatalf("%d messages, the first of %d", len(sent), sent[0].Count)
			}
			if took := c.times()[0].Sub(s.begun); took != group {
				s.t.Errorf("told after %s", took)
			}
			if !strings.Contains(sent[0].Title, "20 hosts") || !strings.Contains(sent[0].Text, "1000 times") {
				s.t.Errorf("it says %q, %q", sent[0].Title, sent[0].Text)
			}
		}, notify.Route{Name: "r", Channel: c})
	}
}

// A message that a storm joins for long stays small: it is written anew with each
// batch.
func TestAStormThatWaitsStaysSmall(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		for range 5 {
			events := make([]notice.Event, 500)
			for n := range events {
				events[n] = warmFailed("etl-1")
			}
			s.tell(events...)
		}
		s.after(group)
		sent := c.all()
		if len(sent) != 1 || sent[0].Count != 2500 || len(sent[0].IDs) != 1000 {
			s.t.Fatalf("%d messages, the first of %d with %d ids", len(sent), sent[0].Count, len(sent[0].IDs))
		}
	}, notify.Route{Name: "r", Channel: c})
}

// A network that is cut is a few messages, and so is its end: nobody is sent one
// for each of a thousand hosts.
func TestManyHostsAreFewMessages(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{false, true} {
		c := &channel{inPlace: inPlace}
		bubble(t, func(s *scene) {
			hosts := make(map[notice.Kind]map[string]bool)
			for _, kind := range []notice.Kind{notice.HostDown, notice.HostUp} {
				before := len(c.all())
				for n := range 1000 {
					e := notice.New(kind)
					e.Host = fmt.Sprint("etl-", n)
					e.Cause = "host:" + e.Host
					s.tell(e)
					s.after(15 * time.Millisecond) // hosts are not probed at the same moment
				}
				s.after(time.Minute)
				sent := c.all()[before:]
				if len(sent) > 25 {
					s.t.Errorf("%d messages that tell of %s", len(sent), kind)
				}
				hosts[kind] = make(map[string]bool)
				for _, m := range sent {
					for _, id := range m.IDs {
						hosts[kind][id] = true
					}
				}
				if len(hosts[kind]) != 1000 {
					s.t.Errorf("%d hosts were told to be %s", len(hosts[kind]), kind)
				}
				last := sent[len(sent)-1]
				if !strings.HasPrefix(last.Title, "each of 50 hosts or more") || strings.Contains(last.Text, "on host etl-") {
					s.t.Errorf("it says %q, %q", last.Title, last.Text)
				}
			}
		}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
	}
}

// While a trouble goes on it is told again after Repeat only, with all that
// happened meanwhile.
func TestRepeatsWait(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		for range 12 * 60 { // 12 hours
			s.tell(warmFailed("etl-1"))
			s.after(time.Minute)
		}
		sent := c.all()
		if len(sent) != 3 {
			s.t.Fatalf("%d messages", len(sent))
		}
		for i, at := range c.times()[1:] {
			if gap := at.Sub(c.times()[i]); gap != repeat {
				s.t.Errorf("told again after %s", gap)
			}
		}
		if sent[2].Count < 450 || sent[2].Count > 490 || sent[2].Since != sent[0].Since || len(sent[2].IDs) > 250 {
			s.t.Errorf("the last tells of %d events since %s and %d new ones", sent[2].Count, sent[2].Since, len(sent[2].IDs))
		}
	}, notify.Route{Name: "r", Channel: c})
}

// Who wants no repeats hears of the end.
func TestNoRepeats(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		if err := s.notify.Reconfigure(notify.Setup{Routes: []notify.Route{{Name: "r", Channel: c}}}); err != nil {
			s.t.Fatal(err)
		}
		for range 30 * 24 {
			s.tell(hostEvent(notice.HostDown))
			s.after(time.Hour)
		}
		same(s.t, []string{"host_down"}, kindsOf(c.all()))
		s.tell(hostEvent(notice.HostUp))
		s.after(time.Second)
		same(s.t, []string{"host_down", "host_up"}, kindsOf(c.all()))
		same(s.t, 30*24+1, c.all()[1].Count)
		same(s.t, 0, c.all()[1].Lost)
	}, notify.Route{Name: "r", Channel: c})
}

// A route that does not hear of a trouble's end is told of the next one at once,
// and not what was over before it was to be told again.
func TestANewTroubleIsNoRepeat(t *testing.T) {
	t.Parallel()
	for name, whileItWaits := range map[string]bool{"sent": false, "and one waits to be told again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channel{}
			bubble(t, func(s *scene) {
				s.tell(hostEvent(notice.HostDown))
				s.after(10 * time.Minute)
				if whileItWaits {
					s.tell(hostEvent(notice.HostDown))
					s.after(10 * time.Minute)
				}
				s.tell(hostEvent(notice.HostUp))
				s.after(10 * time.Minute)
				same(s.t, 1, len(c.all()))
				s.tell(hostEvent(notice.HostDown))
				s.after(time.Minute)
				same(s.t, 2, len(c.all()))
				s.tell(hostEvent(notice.HostUp))
				s.after(24 * time.Hour)
				same(s.t, 2, len(c.all()))
			}, notify.Route{Name: "r", Channel: c, On: []notice.Kind{notice.HostDown}})
		})
	}
}

// Where the channel can, repeats change the message that is there; after Repeat
// another one is posted.
func TestRepeatsInPlace(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		s.tell(warmFailed("etl-1"))
		s.after(time.Minute)
		s.tell(warmFailed("etl-2"))
		s.after(time.Minute)
		s.tell(warmFailed("etl-3"))
		s.after(repeat)
		s.tell(warmFailed("etl-4"))
		s.after(time.Minute)
		s.tell(warmFailed("etl-5"))
		s.after(time.Minute)
		sent := c.all()
		same(s.t, []string{"warm_failed", "+warm_failed", "+warm_failed", "warm_failed", "+warm_failed"}, kindsOf(sent))
		same(s.t, []string{"etl-1", "etl-2", "etl-3", "etl-4", "etl-5"}, sent[4].Hosts)
		same(s.t, "ref-4", sent[4].Earlier)
	}, notify.Route{Name: "r", Channel: c})
}

// A change of a message that is there notifies nobody: what was not told yet is
// posted.
func TestNewsOfATroubleIsPosted(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		for _, kind := range []notice.Kind{notice.DiskPressure, notice.DiskPressure, notice.HostDown, notice.HostDown, notice.HostUp} {
			s.tell(hostEvent(kind))
			s.after(time.Hour / 2)
		}
		sent := c.all()
		same(s.t, []string{"disk_pressure", "+disk_pressure", "host_down", "+host_down", "+host_up"}, kindsOf(sent))
		same(s.t, "ref-3", sent[4].Earlier)
	}, notify.Route{Name: "r", Channel: c})
}

func TestEndOfATrouble(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		inPlace bool
		want    []string
	}{
		"new messages": {false, []string{"host_down", "host_up", "host_down"}},
		"in place":     {true, []string{"host_down", "+host_up", "host_down"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channel{inPlace: test.inPlace}
			bubble(t, func(s *scene) {
				s.tell(hostEvent(notice.HostDown))
				s.after(time.Minute)
				s.tell(hostEvent(notice.HostDown)) // waits for Repeat, or changes what is there
				s.tell(hostEvent(notice.HostUp))
				s.after(time.Minute)
				s.tell(hostEvent(notice.HostDown))
				s.after(time.Minute)
				same(s.t, test.want, kindsOf(c.all()))
				same(s.t, 1, c.all()[2].Count)
			}, notify.Route{Name: "r", Channel: c})
		})
	}
}

// A host that is back at once is one message.
func TestFlapIsOneMessage(t *testing.T) {
	t.Parallel()
	c := &channel{}
	bubble(t, func(s *scene) {
		s.tell(hostEvent(notice.HostDown))
		s.after(time.Second)
		s.tell(hostEvent(notice.HostUp))
		s.after(time.Minute)
		same(s.t, []string{"host_up"}, kindsOf(c.all()))
		same(s.t, 2, len(c.all()[0].IDs))
	}, notify.Route{Name: "r", Channel: c})
}

func TestTaskAcrossItsTries(t *testing.T) {
	t.Parallel()
	tries := []notice.Event{
		runEvent(notice.RunStarted, "1", "t", 1), runEvent(notice.RunRetrying, "1", "t", 1), runEvent(notice.RunStarted, "2", "t", 2),
		runEvent(notice.RunRetrying, "2", "t", 2), runEvent(notice.RunStarted, "3", "t", 3), runEvent(notice.RunFailed, "3", "t", 3),
	}
	for name, test := range map[string]struct {
		inPlace bool
		on      []notice.Kind
		want    []string
	}{
		"nobody hears of a retry":  {false, nil, []string{"run_failed"}},
		"in place but for the end": {true, notice.Kinds, []string{"run_started", "+run_retrying", "+run_started", "+run_retrying", "+run_started", "run_failed"}},
		"messages of one thread":   {false, notice.Kinds, []string{"run_started", "run_retrying", "run_started", "run_retrying", "run_started", "run_failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channel{inPlace: test.inPlace}
			bubble(t, func(s *scene) {
				for _, e := range tries {
					s.tell(e)
					s.after(time.Minute)
				}
				sent := c.all()
				same(s.t, test.want, kindsOf(sent))
				for i, m := range sent {
					if i > 0 && (m.Thread != sent[0].Thread || m.Earlier == "") {
						s.t.Errorf("message %d is of %q behind %q", i, m.Thread, m.Earlier)
					}
				}
			}, notify.Route{Name: "r", Channel: c, On: test.on})
		})
	}
}

// A failure calls somebody, also where its run has a message that could be changed.
func TestAFailureIsPosted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kinds []notice.Kind
		want  []string
	}{
		"orphaned, then lost":      {[]notice.Kind{notice.RunOrphaned, notice.RunLost}, []string{"run_orphaned", "run_lost"}},
		"orphaned, then failed":    {[]notice.Kind{notice.RunOrphaned, notice.RunFailed}, []string{"run_orphaned", "run_failed"}},
		"started, then failed":     {[]notice.Kind{notice.RunStarted, notice.RunFailed}, []string{"run_started", "run_failed"}},
		"started, then orphaned":   {[]notice.Kind{notice.RunStarted, notice.RunOrphaned}, []string{"run_started", "run_orphaned"}},
		"retrying, then failed":    {[]notice.Kind{notice.RunRetrying, notice.RunFailed}, []string{"run_retrying", "run_failed"}},
		"lost, then failed":        {[]notice.Kind{notice.RunLost, notice.RunFailed}, []string{"run_lost", "+run_failed"}},
		"started, then succeeded":  {[]notice.Kind{notice.RunStarted, notice.RunSucceeded}, []string{"run_started", "+run_succeeded"}},
		"orphaned, then succeeded": {[]notice.Kind{notice.RunOrphaned, notice.RunSucceeded}, []string{"run_orphaned", "+run_succeeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channel{inPlace: true}
			bubble(t, func(s *scene) {
				for _, kind := range test.kinds {
					s.tell(runEvent(kind, "1", "t", 0))
					s.after(time.Minute)
				}
				same(s.t, test.want, kindsOf(c.all()))
			}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
		})
	}
}

// It is posted also where it joins a change that waits.
func TestAFailureThatJoinsAChange(t *testing.T) {
	t.Parallel()
	c, down := switchable()
	c.inPlace = true
	bubble(t, func(s *scene) {
		s.tell(runEvent(notice.RunStarted, "1", "t", 1))
		s.after(time.Minute)
		down.Store(true)
		s.tell(runEvent(notice.RunRetrying, "1", "t", 1))
		s.after(time.Second)
		s.tell(runEvent(notice.RunFailed, "2", "t", 3))
		down.Store(false)
		s.after(time.Minute)
		same(s.t, []string{"run_started", "run_failed"}, kindsOf(c.all()))
	}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
}

// The same key on another day is news; a try behind the one that failed is not.
func TestTaskBeginsAnew(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		for _, e := range []notice.Event{
			runEvent(notice.RunFailed, "1", "nightly", 1), runEvent(notice.RunSucceeded, "2", "nightly", 2), runEvent(notice.RunFailed, "3", "nightly", 1),
		} {
			s.tell(e)
			s.after(time.Minute)
		}
		same(s.t, []string{"run_failed", "+run_succeeded", "run_failed"}, kindsOf(c.all()))
	}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
}

// Where the end of a run is nothing that the route tells, the next day's run of the
// key is news all the same: a change of yesterday's message is seen by nobody.
func TestTaskBeginsAnewAfterAnEndThatIsNotTold(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		for _, e := range []notice.Event{
			runEvent(notice.RunOrphaned, "1", "nightly", 0), runEvent(notice.RunSucceeded, "1", "nightly", 0), runEvent(notice.RunFailed, "2", "nightly", 0),
		} {
			s.tell(e)
			s.after(12 * time.Hour)
		}
		same(s.t, []string{"run_orphaned", "run_failed"}, kindsOf(c.all()))
	}, notify.Route{Name: "r", Channel: c})
}

// What one day's run of a key came to is not hidden by the next one's, however late
// it is told.
func TestRunsOfAKeyAreApart(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		var down atomic.Bool
		c := &channel{inPlace: true, fail: func(int, notice.Message) error {
			if down.Load() {
				return errors.New("down")
			}
			return nil
		}}
		bubble(t, func(s *scene) {
			events := []notice.Event{
				runEvent(notice.RunFailed, "1", "nightly", 0), runEvent(notice.RunStarted, "2", "nightly", 0), runEvent(notice.RunSucceeded, "2", "nightly", 0),
			}
			if together {
				s.tell(events...)
			} else {
				down.Store(true)
				for _, e := range events {
					s.tell(e)
					s.after(time.Hour)
				}
				down.Store(false)
			}
			s.after(time.Hour)
			same(s.t, []string{"run_failed", "run_succeeded"}, kindsOf(c.all()))
		}, notify.Route{Name: "r", Channel: c, On: notice.Kinds})
	}
}

// What is new is posted also where it joins a change that waits.
func TestNewsThatJoinsAChange(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		s.tell(hostEvent(notice.DiskPressure))
		s.after(time.Minute)
		s.tell(hostEvent(notice.DiskPressure))
		s.after(time.Second)
		s.tell(hostEvent(notice.HostDown))
		s.after(time.Minute)
		same(s.t, []string{"disk_pressure", "host_down"}, kindsOf(c.all()))
	}, notify.Route{Name: "r", Channel: c})
}

// A task that was cleared goes on counting its tries.
func TestTaskFailsForGoodAgain(t *testing.T) {
	t.Parallel()
	c := &channel{inPlace: true}
	bubble(t, func(s *scene) {
		for try, kind := range []notice.Kind{notice.RunRetrying, notice.RunFailed, notice.RunRetrying, notice.RunFailed} {
			s.tell(runEvent(kind, fmt.Sprint("run-", try), "t", try+2))
			s.after(time.Hour)
		}
		same(s.t, []string{"run_failed", "run_failed"}, kindsOf(c.all()))
	}, notify.Route{Name: "r", Channel: c})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	c := &channel{fail: func(try int, _ notice.Message) error {
		if try < 6 {
			return errors.New("busy")
		}
		return nil
	}}
	bubble(t, func(s *scene) {
		s.tell(runEvent(notice.RunFailed, "1", "t", 3))
		s.after(5 * time.Second)
		if c.tried() < 2 || c.tried() > 3 {
			s.t.Errorf("%d tries in 5 s", c.tried())
		}
		s.after(3 * time.Minute)
		same(s.t, []string{"run_failed"}, kindsOf(c.all()))
		same(s.t, 6, c.tried())
	}, notify.Route{Name: "r", Channel: c})
}

// A channel that asks to be left alone is, also by the messages behind.
func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	c := &channel{fail: func(try int, _ notice.Message) error {
		if try == 1 {
			return &notify.Failure{Why: "too many", RetryAfter: 10 * time.Minute}
		}
		return nil
	}}
	bubble(t, func(s *scene) {
		s.tell(runEvent(notice.RunFailed, "1", "a", 3))
		for range 9 {
			s.after(time.Minute)
			s.tell(runEvent(notice.RunFailed, "2", "b", 3))
		}
		same(s.t, 1, c.tried())
		s.after(time.Minute)
		same(s.t, 2, len(c.all()))
	}, notify.Route{Name: "r", Channel: c})
}

// What does not pass by itself is tried each hour, and shown; a message that the
// channel can't take holds up no other.
func TestLastingFailures(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]bool{"of the route": true, "of the message": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &channel{fail: func(_ int, m notice.Message) error {
				if all || m.Newest().Run.Task == "bad" {
					return &notify.Failure{Why: "channel_not_found", Lasting: true, All: all}
				}
				return nil
			}}
			bubble(t, func(s *scene) {
				s.tell(runEvent(notice.RunFailed, "1", "bad", 3), runEvent(notice.RunFailed, "2", "good", 3))
				s.after(50 * time.Minute)
				if all {
					same(s.t, 1, c.tried())
					same(s.t, []notice.State{notice.Waiting, notice.Failed}, s.states("r"))
				} else {
					same(s.t, 3, c.tried()) // once more when the route was seen to work
					same(s.t, []notice.State{notice.Sent, notice.Failed}, s.states("r"))
				}
				s.after(5 * time.Hour)
				if c.tried() > 8 {
					s.t.Errorf("%d tries in 6 h", c.tried())
				}
			}, notify.Route{Name: "r", Channel: c})
		})
	}
}

// A changed configuration is a reason to try again.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	broken := &channel{fail: func(int, notice.Message) error { return &notify.Failure{Why: "bad token", Lasting: true, All: true} }}
	mended := &channel{}
	bubble(t, func(s *scene) {
		s.tell(runEvent(notice.RunFailed, "1", "t", 3))
		s.after(time.Minute)
		same(s.t, []notice.State{notice.Failed}, s.states("kept"))
		if err := s.notify.Reconfigure(notify.Setup{Routes: []notify.Route{{Name: "kept", Channel: mended}}}); err != nil {
			s.t.Fatal(err)
		}
		s.after(time.Second)
		same(s.t, []string{"run_failed"}, kindsOf(mended.all()))
		same(s.t, []notice.State{notice.Dropped}, s.states("gone"))
		if err := s.notify.Reconfigure(notify.Setup{Routes: []notify.Route{{Name: "kept", Channel: mended, Title: "{{.Nothing}}"}}}); err == nil {
			s.t.Error("a template without sense was taken")
		}
	}, notify.Route{Name: "kept", Channel: broken}, notify.Route{Name: "gone", Channel: broken})
}

// failing is an outbox that routes nothing for as long as it says so.
type failing struct {
	*outbox.Memory
	is     atomic.Bool
	asked  atomic.Int64
	claims func()
}

func (f *failing) RouteEvents(ctx context.Context, events []string, messages []notice.Message) error {
	if f.is.Load() {
		return errors.New("disk full")
	}
	return f.Memory.RouteEvents(ctx, events, messages)
}

func (f *failing) DueMessage(ctx context.Context, route string) (notice.Message, bool, error) {
	if f.asked.Add(1) == 1000 {
		f.claims()
	}
	return f.Memory.DueMessage(ctx, route)
}

// A route that was removed is no work, also while the outbox fails and nobody has
// ended its worker yet.
func TestARemovedRouteDoesNotSpin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &failing{Memory: outbox.NewMemory()}
		box.claims = func() { panic("a route that is no more is asked for without a pause") }
		m := outbox.Waiting("r", "thread")
		m.Due = time.Now().Add(2 * time.Second)
		if err := box.RouteEvents(t.Context(), nil, []notice.Message{m}); err != nil {
			t.Fatal(err)
		}
		c := &channel{}
		n, err := notify.New(notify.Options{Outbox: box, Noticed: box.Noticed(), Setup: notify.Setup{Routes: []notify.Route{{Name: "r", Channel: c}}}, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = n.Run(ctx) })
		time.Sleep(time.Second)
		box.is.Store(true)
		if err := box.Tell(t.Context(), hostEvent(notice.HostDown)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := n.Reconfigure(notify.Setup{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		same(t, 0, c.tried())
		cancel()
		running.Wait()
	})
}

// A route that fails for days keeps what is young; what was dropped is told.
func TestOldNoticesAreDropped(t *testing.T) {
	t.Parallel()
	down := true
	c := &channel{}
	c.fail = func(int, notice.Message) error {
		if down {
			return errors.New("down")
		}
		return nil
	}
	bubble(t, func(s *scene) {
		for n := range 8 {
			s.tell(runEvent(notice.RunFailed, fmt.Sprint(n), fmt.Sprint("task-", n), 3))
			s.after(24 * time.Hour)
		}
		c.mu.Lock()
		down = false
		c.mu.Unlock()
		s.after(time.Hour)
		sent := c.all()
		if len(sent) < 6 || len(sent) > 7 {
			s.t.Fatalf("%d messages", len(sent))
		}
		want := fmt.Sprintf("%d notice", 8-len(sent))
		if !strings.Contains(sent[0].Text, want) || strings.Contains(sent[1].Text, "dropped") {
			s.t.Errorf("the first says %q, the next %q", sent[0].Text, sent[1].Text)
		}
	}, notify.Route{Name: "r", Channel: c})
}

// An event that is no route's goes; one of two routes goes to both, of which a
// slow one holds up none.
func TestRoutesAreApart(t *testing.T) {
	t.Parallel()
	slow := &channel{fail: func(int, notice.Message) error { return errors.New("down") }}
	fine := &channel{}
	bubble(t, func(s *scene) {
		s.tell(runEvent(notice.RunSucceeded, "1", "t", 1), runEvent(notice.RunFailed, "2", "u", 1))
		s.after(time.Second)
		same(s.t, []string{"run_failed"}, kindsOf(fine.all()))
		left, err := s.box.UntoldEvents(s.t.Context(), 10)
		if err != nil || len(left) != 0 {
			s.t.Errorf("left %v, %v", left, err)
		}
	}, notify.Route{Name: "slow", Channel: slow}, notify.Route{Name: "fine", Channel: fine})
}
