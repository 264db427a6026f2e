package outbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/notify"
)

// An Outbox is one that events can be put into.
type Outbox interface {
	notify.Outbox
	notify.Source
}

// Contract is what every outbox has to do. open makes an empty one.
func Contract(t *testing.T, open func(t *testing.T) Outbox) {
	for name, test := range map[string]func(*testing.T, Outbox){
		"routing is one act": routing, "threads are sent in order": order, "what was sent stays sent": settled, "what it says is another matter": content,
		"failed ones can be hurried":      hurried,
		"due ones come as they were made": due,
		"excess is dropped and counted":   excess, "old ones are dropped": aged, "other routes are dropped": others, "what is done is forgotten": forgotten,
		"what is to be sent is counted": counted,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

// now is a time as every outbox keeps it.
func now() time.Time { return time.Now().Truncate(time.Microsecond).Local() }

// Waiting makes a message that is due now.
func Waiting(route, thread string) notice.Message {
	e := notice.New(notice.HostDown)
	e.At, e.Host = now(), "etl-1"
	return notice.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Route: route, Thread: thread, Made: now(),
		Content:  notice.Content{Title: "a title", Kinds: []notice.Kind{e.Kind}, IDs: []string{e.ID}, Events: []notice.Event{e}, Count: 1},
		Delivery: notice.Delivery{State: notice.Waiting, Due: now()},
	}
}

func save(t *testing.T, o Outbox, all ...notice.Message) {
	t.Helper()
	if err := o.RouteEvents(t.Context(), nil, all); err != nil {
		t.Fatal(err)
	}
}

func settle(t *testing.T, o Outbox, m notice.Message, state notice.State, ref string) {
	t.Helper()
	m.State, m.Ref, m.Done = state, ref, now()
	if err := o.SettleMessage(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// next expects the message that is to be sent next; nil: none.
func next(t *testing.T, o Outbox, route string, want *notice.Message) notice.Message {
	t.Helper()
	got, ok, err := o.NextMessage(t.Context(), route)
	if err != nil || ok != (want != nil) || ok && got.ID != want.ID {
		t.Fatalf("next of %s: %q %v %v, want %+v", route, got.ID, ok, err, want)
	}
	return got
}

// content: what a message says is saved while it is being sent, and not what
// becomes of it.
func content(t *testing.T, o Outbox) {
	m := Waiting("r", "a")
	save(t, o, m)
	settle(t, o, m, notice.Sent, "1")
	m.Over, m.Title = true, "another title" // as whoever read it before has it
	if err := o.SaveContent(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, ok, err := o.LatestMessage(t.Context(), "r", "a")
	if err != nil || !ok || got.State != notice.Sent || got.Ref != "1" || !got.Over || got.Title != "another title" {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	if err := o.SaveContent(t.Context(), Waiting("r", "b")); err != nil {
		t.Error(err)
	}
	if _, ok, err := o.LatestMessage(t.Context(), "r", "b"); ok || err != nil {
		t.Errorf("a message that is not there is made: %v %v", ok, err)
	}
}

func states(t *testing.T, o Outbox, route string) (all []notice.State) {
	t.Helper()
	found, err := o.Messages(t.Context(), route, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		all = append(all, m.State)
	}
	return all
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func routing(t *testing.T, o Outbox) {
	first, second := notice.New(notice.RunFailed), notice.New(notice.HostUp)
	first.At, second.At = now(), now()
	first.Run = &notice.Run{ID: "1", Meta: map[string]string{"customer": "ACME"}}
	if err := o.Tell(t.Context(), first, second); err != nil {
		t.Fatal(err)
	}
	select {
	case <-o.Noticed():
	default:
		t.Error("nobody was woken")
	}
	events, err := o.UntoldEvents(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, []notice.Event{first, second}, events)
	m := Waiting("r", "t")
	if err := o.RouteEvents(t.Context(), []string{first.ID}, []notice.Message{m}); err != nil {
		t.Fatal(err)
	}
	if events, err = o.UntoldEvents(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	same(t, []notice.Event{second}, events)
	latest, ok, err := o.LatestMessage(t.Context(), "r", "t")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	same(t, m, latest)
	m.Title = "another"
	save(t, o, m)
	same(t, "another", next(t, o, "r", &m).Title)
	if _, ok, err := o.LatestMessage(t.Context(), "other", "t"); ok || err != nil {
		t.Error("another route has the thread", err)
	}
}

func order(t *testing.T, o Outbox) {
	a1, a2, b := Waiting("r", "a"), Waiting("r", "a"), Waiting("r", "b")
	a1.Due, a2.Due, b.Due = now().Add(2*time.Hour), now(), now().Add(time.Hour)
	save(t, o, a1, a2, b)
	next(t, o, "r", &b)
	next(t, o, "other", nil)
	settle(t, o, b, notice.Sent, "b's")
	next(t, o, "r", &a1)
	settle(t, o, a1, notice.Sent, "a1's")
	if got := next(t, o, "r", &a2); got.Earlier != "a1's" {
		t.Errorf("earlier is %q", got.Earlier)
	}
	settle(t, o, a2, notice.Sent, "")
	next(t, o, "r", nil)
}

func settled(t *testing.T, o Outbox) {
	m := Waiting("r", "a")
	save(t, o, m)
	m.Tries, m.Error, m.Due = 3, "busy", now().Add(time.Minute)
	settle(t, o, m, notice.Waiting, "")
	got := next(t, o, "r", &m)
	if got.Tries != 3 || got.Error != "busy" || !got.Due.Equal(m.Due) {
		t.Errorf("got %+v", got.Delivery)
	}
	settle(t, o, m, notice.Sent, "x")
	settle(t, o, m, notice.Waiting, "")
	same(t, []notice.State{notice.Sent}, states(t, o, "r"))
}

func hurried(t *testing.T, o Outbox) {
	untried, refused, waiting, other := Waiting("r", "a"), Waiting("r", "b"), Waiting("r", "c"), Waiting("other", "a")
	refused.State = notice.Failed
	refused.Tries, waiting.Tries, other.Tries = 1, 1, 1
	untried.Due, refused.Due, waiting.Due, other.Due = now().Add(time.Minute), now().Add(time.Hour), now().Add(time.Hour), now().Add(time.Hour)
	save(t, o, untried, refused, waiting, other)
	hurry := func(route string) {
		t.Helper()
		if err := o.HurryMessages(t.Context(), route); err != nil {
			t.Fatal(err)
		}
	}
	due := func(route string, want *notice.Message) {
		t.Helper()
		got, ok, err := o.DueMessage(t.Context(), route)
		if err != nil || ok != (want != nil) || ok && got.ID != want.ID {
			t.Fatalf("due of %s: %q %v %v, want %+v", route, got.ID, ok, err, want)
		}
	}
	due("r", nil)
	hurry("r")
	due("other", nil)
	for _, m := range []notice.Message{refused, waiting} {
		due("r", &m)
		settle(t, o, m, notice.Sent, "")
	}
	due("r", nil)
	next(t, o, "r", &untried)
	hurry("")
	due("other", &other)
}

func due(t *testing.T, o Outbox) {
	a1, a2, b := Waiting("r", "a"), Waiting("r", "a"), Waiting("r", "b")
	a1.Due, a2.Due, b.Due = now().Add(-time.Minute), now().Add(-time.Hour), now().Add(-2*time.Hour)
	before := Waiting("r", "a")
	before.ID = "0" // sorts before all
	before.Due = now().Add(time.Hour)
	save(t, o, a1, a2, b)
	for _, want := range []notice.Message{a1, a2, b} {
		got, ok, err := o.DueMessage(t.Context(), "r")
		if err != nil || !ok || got.ID != want.ID {
			t.Fatalf("got %q %v %v, want %q", got.ID, ok, err, want.ID)
		}
		settle(t, o, got, notice.Sent, "ref")
	}
	c := Waiting("r", "a")
	save(t, o, before, c)
	if got, ok, err := o.DueMessage(t.Context(), "r"); ok || err != nil {
		t.Errorf("%q overtakes one of its thread (%v)", got.ID, err)
	}
	settle(t, o, before, notice.Sent, "")
	if got, ok, err := o.DueMessage(t.Context(), "r"); !ok || err != nil || got.Earlier != "ref" {
		t.Errorf("behind %q, %v %v", got.Earlier, ok, err)
	}
}

func excess(t *testing.T, o Outbox) {
	var all []notice.Message
	for n := range 5 {
		all = append(all, Waiting("r", fmt.Sprint(n)))
	}
	save(t, o, all...)
	save(t, o, Waiting("other", "a"))
	settle(t, o, all[0], notice.Sent, "")
	n, err := o.DropExcess(t.Context(), "r", 1, now().Add(-time.Hour), "too many")
	if err != nil || n != 3 {
		t.Fatalf("dropped %d, %v", n, err)
	}
	same(t, []notice.State{notice.Waiting, notice.Dropped, notice.Dropped, notice.Dropped, notice.Sent}, states(t, o, "r"))
	got := next(t, o, "r", &all[4])
	if got.Lost != 3 {
		t.Errorf("lost %d", got.Lost)
	}
	if _, ok, err := o.LatestMessage(t.Context(), "r", "1"); ok || err != nil {
		t.Error("a dropped message is the newest of its thread", err)
	}
	settle(t, o, got, notice.Sent, "")
	last := Waiting("r", "new")
	save(t, o, last)
	if got := next(t, o, "r", &last); got.Lost != 0 {
		t.Errorf("%d losses are told twice", got.Lost)
	}
}

func aged(t *testing.T, o Outbox) {
	old, fresh, early := Waiting("r", "a"), Waiting("r", "b"), Waiting("r", "c")
	old.Made, early.Made, early.Due = now().Add(-time.Hour), now().Add(-time.Hour), now().Add(time.Hour)
	save(t, o, old, fresh, early)
	if n, err := o.DropExcess(t.Context(), "r", 10, now().Add(-time.Minute), "too old"); err != nil || n != 1 {
		t.Fatalf("dropped %d, %v", n, err)
	}
	same(t, []notice.State{notice.Waiting, notice.Waiting, notice.Dropped}, states(t, o, "r"))
}

func others(t *testing.T, o Outbox) {
	kept, gone := Waiting("kept", "a"), Waiting("gone", "a")
	save(t, o, kept, gone)
	if err := o.DropOthers(t.Context(), []string{"kept"}, "it is gone"); err != nil {
		t.Fatal(err)
	}
	next(t, o, "kept", &kept)
	next(t, o, "gone", nil)
	all, err := o.Messages(t.Context(), "gone", 10)
	if err != nil || len(all) != 1 || all[0].Error != "it is gone" || all[0].Title != "a title" || all[0].Done.IsZero() {
		t.Errorf("got %+v, %v", all, err)
	}
}

func forgotten(t *testing.T, o Outbox) {
	var all []notice.Message
	for n := range 4 {
		all = append(all, Waiting("r", fmt.Sprint(n)))
	}
	save(t, o, all...)
	all[0].Done = now().Add(-time.Hour)
	all[0].State = notice.Sent
	if err := o.SettleMessage(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	settle(t, o, all[1], notice.Sent, "")
	settle(t, o, all[2], notice.Sent, "")
	if err := o.ForgetMessages(t.Context(), now().Add(-time.Minute), 10); err != nil {
		t.Fatal(err)
	}
	same(t, 3, len(states(t, o, "r")))
	if err := o.ForgetMessages(t.Context(), now().Add(-time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	same(t, []notice.State{notice.Waiting, notice.Sent}, states(t, o, "r"))
}

func counted(t *testing.T, o Outbox) {
	expect := func(route string, n int, since time.Time) {
		t.Helper()
		got, first, err := o.Backlog(t.Context(), route)
		if err != nil || got != n || !first.Equal(since) {
			t.Errorf("%s has %d since %v (%v), want %d since %v", route, got, first, err, n, since)
		}
	}
	expect("a", 0, time.Time{})
	first, second, other := Waiting("a", "1"), Waiting("a", "2"), Waiting("b", "1")
	first.Made = first.Made.Add(-time.Hour)
	save(t, o, first, second, other)
	expect("a", 2, first.Made)
	settle(t, o, first, notice.Failed, "")
	expect("a", 2, first.Made)
	settle(t, o, first, notice.Sent, "")
	expect("a", 1, second.Made)
	expect("b", 1, other.Made)
	// What waits on purpose holds nobody up.
	repeated := Waiting("c", "1")
	repeated.Due = time.Now().Add(time.Hour)
	save(t, o, repeated)
	expect("c", 0, time.Time{})
	repeated.Tries = 1
	save(t, o, repeated)
	expect("c", 1, repeated.Made)
}
