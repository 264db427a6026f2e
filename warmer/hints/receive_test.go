package hints_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
	"github.com/prewarm/prewarm/warmer/hints"
)

const hubBody = `{"push_data":{"tag":"22","pushed_at":1790000000},"repository":{"repo_name":"library/node","name":"node","namespace":"library"}}`

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	o := setup(2)
	o.Hooks = append(o.Hooks,
		hints.Hook{Name: "both", Kind: webhook.Distribution, Secrets: []string{secret}, Path: []string{"p"}, Repositories: patterns("**")},
		hints.Hook{Name: "path", Kind: webhook.Distribution, Path: []string{"p"}, Repositories: patterns("**")},
		hints.Hook{Name: "open", Kind: webhook.DockerHub, Repositories: patterns("**")})
	good, bare := signed(body(event{repository: "etl/image-1", tag: "latest"})), webhook.Delivery{Header: http.Header{}, Body: []byte(hubBody)}
	unsigned := webhook.Delivery{Header: http.Header{}, Body: good.Body, At: time.Now()}
	for _, c := range []struct {
		hook, path string
		d          webhook.Delivery
		want       problem.Code
	}{
		{"ci", "", good, ""},
		{"ci", "", unsigned, problem.WebhookDenied},
		{"ci", "p", good, problem.WebhookNotFound}, // it has no secret part
		{"nobody", "", good, problem.WebhookNotFound},
		{"", "", good, problem.WebhookNotFound},
		{"hub", "a-secret-path", bare, ""},
		{"hub", "the-one-before", bare, ""},
		{"hub", "", bare, problem.WebhookNotFound},
		{"hub", "wrong", bare, problem.WebhookNotFound},
		{"both", "p", good, ""},
		{"both", "p", unsigned, problem.WebhookDenied},
		{"both", "", good, problem.WebhookNotFound},
		{"both", "q", good, problem.WebhookNotFound},
		{"path", "p", unsigned, ""},
		{"open", "", bare, problem.WebhookDenied},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, o)
			c.d.At = time.Now()
			_, err := s.r.Receive(t.Context(), c.hook, c.path, c.d, "10.0.0.1")
			if problem.CodeOf(err) != c.want {
				t.Errorf("%s/%s: %v, want %q", c.hook, c.path, err, c.want)
			}
			early := s.r.Expect(c.hook, c.path, time.Now(), "10.0.0.1")
			if (early != nil) != (c.want == problem.WebhookNotFound) || early != nil && early.Error() != err.Error() {
				t.Errorf("%s/%s: expected with %v, received with %v", c.hook, c.path, early, err)
			}
		})
	}
}

// Who is refused can't tell a wrong secret from a name that is not there, and no
// secret comes back.
func TestARefusalTellsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(1))
		d := webhook.Delivery{Header: http.Header{"Authorization": {"Bearer marked-header"}}, Body: []byte(hubBody), At: time.Now()}
		_, wrong := s.r.Receive(t.Context(), "hub", "marked-path", d, "")
		_, unknown := s.r.Receive(t.Context(), "nobody", "marked-path", d, "")
		early := s.r.Expect("hub", "marked-path", time.Now(), "")
		if wrong.Error() != unknown.Error() || problem.From(wrong).Mend != problem.From(unknown).Mend {
			t.Errorf("%v is not %v", wrong, unknown)
		}
		_, denied := s.r.Receive(t.Context(), "ci", "", d, "")
		time.Sleep(time.Minute)
		stands := 0
		for _, row := range s.disk.all() {
			stands += row.Stands
		}
		if stands != 3 { // the name that is not there is nobody's
			t.Errorf("refused: %+v", s.disk.all())
		}
		for _, text := range []string{wrong.Error(), early.Error(), denied.Error(), fmt.Sprintf("%+v", s.disk.all())} {
			if strings.Contains(text, "marked") || strings.Contains(text, secret) {
				t.Errorf("a secret is told: %s", text)
			}
		}
	})
}

func TestWhatADeliveryIsAbout(t *testing.T) {
	t.Parallel()
	o := setup(3)
	anywhere := hints.Hook{Name: "anywhere", Kind: webhook.Distribution, Secrets: []string{secret}, Repositories: patterns("**")}
	behind := anywhere
	behind.Name, behind.Registry = "behind", "docker.io" // a proxy of it, say
	nowhere := anywhere
	nowhere.Name, nowhere.Registry = "nowhere", "no host"
	narrow := anywhere
	narrow.Name, narrow.Repositories = "narrow", patterns(host+"/etl/image-2", host+"/etl/image-0:v1*")
	o.Hooks = append(o.Hooks, anywhere, behind, nowhere, narrow)
	for _, c := range []struct {
		hook   string
		e      event
		images []string
		why    string
	}{
		{"ci", event{repository: "etl/image-1", tag: "latest"}, []string{"image-1"}, ""},
		{"ci", event{repository: "etl/image-1"}, []string{"image-1"}, ""},
		{"ci", event{repository: "etl/image-0", tag: "v7"}, []string{"image-0"}, ""},
		{"ci", event{repository: "etl/image-1", tag: "other"}, nil, "no image follows the tag other of registry.test/etl/image-1"},
		{"ci", event{repository: "etl/nobody", tag: "latest"}, nil, "no image of the configuration is of registry.test/etl/nobody"},
		{"nowhere", event{repository: "etl/image-1", tag: "latest"}, nil, "no host/etl/image-1 is no repository"},
		{"ci", event{repository: "library/node", tag: "22"}, nil, "no image of the configuration is of registry.test/library/node"},
		{"behind", event{repository: "node", tag: "22"}, []string{"node"}, ""},
		{"behind", event{repository: "library/node", tag: "22"}, []string{"node"}, ""},
		{"narrow", event{repository: "etl/image-1", tag: "latest"}, nil, "the hook may not speak of registry.test/etl/image-1"},
		{"narrow", event{repository: "etl/image-2", tag: "latest"}, []string{"image-2"}, ""},
		{"narrow", event{repository: "etl/image-0", tag: "v12"}, []string{"image-0"}, ""},
		{"narrow", event{repository: "etl/image-0", tag: "v2"}, nil, "the hook may not speak of registry.test/etl/image-0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, o)
			d := signed(body(c.e))
			trial, err := s.r.Try(c.hook, d)
			if err != nil || len(trial.Events) != 1 || !slices.Equal(trial.Events[0].Images, c.images) || trial.Events[0].Why != c.why {
				t.Errorf("tried %+v: %+v, %v", c.e, trial, err)
			}
			synctest.Wait()
			if rows := s.disk.all(); len(rows) > 0 || len(s.images.seen()) > 0 {
				t.Errorf("a trial left %+v", rows)
			}
			a, err := s.r.Receive(t.Context(), c.hook, "", d, "")
			want := hints.Irrelevant
			if len(c.images) > 0 {
				want = hints.Accepted
			}
			if err != nil || a.Verdict != want || !slices.Equal(a.Images, c.images) {
				t.Errorf("%+v: %+v, %v", c.e, a, err)
			}
			if row := s.last(); row.Detail != c.why || row.Verdict != want {
				t.Errorf("%+v", row)
			}
		})
	}
}

func TestATrialSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(1))
		good := body(event{repository: "etl/image-0", tag: "latest"})
		if _, err := s.r.Try("nobody", webhook.Delivery{}); problem.CodeOf(err) != problem.WebhookNotFound {
			t.Error(err)
		}
		for _, c := range []struct {
			header        http.Header
			body          []byte
			denied, wrong bool
		}{
			{nil, good, false, false},
			{http.Header{"Authorization": {"Bearer " + secret}}, good, false, false},
			{http.Header{"Authorization": {"Bearer other"}}, good, true, false},
			{nil, []byte("{"), false, true},
		} {
			trial, err := s.r.Try("ci", webhook.Delivery{Header: c.header, Body: c.body, At: time.Now()})
			if err != nil || (trial.Denied != "") != c.denied || (trial.Wrong != "") != c.wrong {
				t.Errorf("%v %s: %+v, %v", c.header, c.body, trial, err)
			}
		}
	})
}

// A delivery that comes again costs a look only where the first led to nothing.
func TestRepetitionsCostNoLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		one := event{id: "e1", repository: "etl/image-1", tag: "latest", digest: digest(1)}
		two := event{id: "e2", repository: "etl/image-1", tag: "latest", digest: digest(2)}
		s.images.show("image-1", "latest", digest(1))
		verdict := func(want hints.Verdict, looks int, events ...event) {
			t.Helper()
			if a := s.tell(events...); a.Verdict != want {
				t.Errorf("%+v, want %s", a, want)
			}
			synctest.Wait()
			if n := len(s.images.seen()); n != looks {
				t.Errorf("%d looks, want %d", n, looks)
			}
		}
		verdict(hints.Accepted, 1, one)
		verdict(hints.Repeated, 0, one)
		s.images.show("image-1", "latest", digest(2))
		verdict(hints.Accepted, 1, one, two)
		verdict(hints.Repeated, 0, one, two)
		s.stop()
		s.start(setup(2))
		synctest.Wait() // it reads what was told before
		verdict(hints.Repeated, 0, two)
		time.Sleep(25 * time.Hour)
		verdict(hints.Accepted, 1, two)

		three := event{id: "e3", repository: "etl/image-1", tag: "latest", digest: digest(2)}
		s.images.fail(errors.New("broken"))
		verdict(hints.Accepted, 1, three)
		time.Sleep(12 * time.Hour)
		s.images.seen()
		verdict(hints.Accepted, 0, three) // its look is still owed
		s.images.fail(nil)
		time.Sleep(12 * time.Minute)
		verdict(hints.Repeated, 1, three)
	})
}

// What is not on disk is not answered, and can be told again.
func TestADeliveryIsOnDiskBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		s.disk.takes = 50 * time.Millisecond
		s.disk.fail(errors.New("disk full"))
		d := signed(body(event{id: "e1", repository: "etl/image-1", tag: "latest"}))
		if _, err := s.r.Receive(t.Context(), "ci", "", d, ""); err == nil {
			t.Error("taken without a disk")
		}
		time.Sleep(time.Hour)
		if looks := s.images.seen(); len(looks) > 0 {
			t.Errorf("%+v", looks)
		}
		s.disk.fail(nil)
		begun := time.Now()
		a, err := s.r.Receive(t.Context(), "ci", "", d, "")
		if err != nil || a.Verdict != hints.Accepted || time.Since(begun) != 50*time.Millisecond || len(s.disk.all()) != 1 {
			t.Errorf("%+v %v after %s", a, err, time.Since(begun))
		}
	})
}

// Whoever leaves before the answer has told all the same.
func TestAHintOfOneWhoLeftIsLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		s.disk.takes = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := s.r.Receive(ctx, "ci", "", signed(body(event{repository: "etl/image-1", tag: "latest"})), "")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if looks := s.images.seen(); len(looks) != 1 {
			t.Errorf("%+v", looks)
		}
	})
}

// Deliveries that come together are written down together; more than can wait
// are sent away with a time to come back.
func TestDeliveriesShareTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		s.disk.takes = 100 * time.Millisecond
		var mu sync.Mutex
		codes := make(map[problem.Code]int)
		var senders sync.WaitGroup
		for range 3000 {
			senders.Go(func() {
				_, err := s.r.Receive(t.Context(), "ci", "", signed(body(event{repository: "etl/image-1", tag: "latest"})), "")
				mu.Lock()
				defer mu.Unlock()
				codes[problem.CodeOf(err)]++
				if err != nil && problem.From(err).RetryAfter == 0 {
					t.Error("it does not say when to come back")
				}
			})
		}
		senders.Wait()
		if codes[""] < 1000 || codes[""]+codes[problem.WebhookBusy] != 3000 {
			t.Errorf("%v", codes)
		}
		if n := s.disk.records; n > 5 {
			t.Errorf("%d deliveries took %d writes", codes[""], n)
		}
	})
}

// Forged deliveries are counted, and a flood of them is a record a second.
func TestAFloodOfForgedDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, setup(2))
		forged := webhook.Delivery{Header: http.Header{}, Body: []byte("{}"), At: time.Now()}
		for range 5000 {
			_, _ = s.r.Receive(t.Context(), "ci", "", forged, "10.6.6.6")
			_, _ = s.r.Receive(t.Context(), "hub", "guessed", forged, "10.6.6.6")
			_, _ = s.r.Receive(t.Context(), "nobody", "guessed", forged, "10.6.6.6")
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		rows, stand := make(map[string]int), make(map[string]int)
		for _, d := range s.disk.all() {
			rows[d.Hook]++
			stand[d.Hook] += d.Stands
			if d.Verdict != hints.Refused || d.Detail == "" || d.From != "10.6.6.6" {
				t.Errorf("%+v", d)
			}
		}
		if !cmp.Equal(stand, map[string]int{"ci": 5000, "hub": 5000}) || rows["ci"] > 7 || rows["hub"] > 7 {
			t.Errorf("%v records stand for %v", rows, stand)
		}
		for _, h := range s.r.Hooks() {
			if h.Counts[hints.Refused] != 5000 {
				t.Errorf("%+v", h)
			}
		}
		if looks := s.images.seen(); len(looks) > 0 {
			t.Errorf("%+v", looks)
		}
	})
}
