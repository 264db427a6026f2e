package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A Forwarder is what the runner asked for.
var _ runner.Forwarder = (*Forwarder)(nil)

// quick is a pace for tests with real files and sockets.
var quick = pace{retry: 5 * time.Millisecond, look: time.Millisecond}

// starts gives a Forwarder that is closed, with nothing left, when the test
// ends.
func starts(t *testing.T, targets ...Target) *Forwarder {
	t.Helper()
	f, err := start(targets, slog.New(slog.DiscardHandler), quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func aRun(t testing.TB, id string) runner.Run {
	t.Helper()
	pin, err := registry.ParsePin("registry.test/etl/jobs@sha256:" + strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	return runner.Run{
		ID: id, Image: "node-jobs", Pin: pin, Host: "etl-1",
		Terms: runner.Terms{Key: "etl/day/task", Meta: map[string]string{"owner": "ana", "customer": "c<1>"}},
	}
}

func entry(seq int64, text string) spool.Entry {
	return spool.Entry{Seq: seq, Time: time.Unix(1_900_000_000, 123_456_000).UTC(), Stream: "stdout", Text: text}
}

// objects reads lines of JSON.
func objects(t *testing.T, text string) (all []object) {
	t.Helper()
	for l := range strings.Lines(text) {
		var o object
		if err := json.Unmarshal([]byte(l), &o); err != nil || !strings.HasSuffix(l, "\n") {
			t.Fatalf("a line that is no JSON: %q %v", l, err)
		}
		all = append(all, o)
	}
	return all
}

// texts are those of runs.
func texts(all []object) (texts []string) {
	for _, o := range all {
		if o.Run != "" {
			texts = append(texts, o.Text)
		}
	}
	return texts
}

func dropped(all []object) (n int) {
	for _, o := range all {
		n += o.Dropped
	}
	return n
}

// numbers is the texts "1" to "n".
func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return all
}

// buffer is a writer that may be read meanwhile, and can be held.
type buffer struct {
	held sync.Mutex // locked: writers wait

	mu   sync.Mutex
	text bytes.Buffer
	max  int // bytes that one write takes before it fails; 0: all
}

func (b *buffer) Write(p []byte) (int, error) {
	b.held.Lock()
	defer b.held.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.max > 0 && len(p) > b.max {
		b.text.Write(p[:b.max])
		return b.max, io.ErrShortWrite
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestLinesAreJSON(t *testing.T) {
	t.Parallel()
	var out buffer
	f := starts(t, Target{Kind: Stdout, Out: &out})
	f.Forward(aRun(t, "r1"), entry(7, "a \"line\" <with> ü and \xff"))
	f.Forward(runner.Run{ID: "r2"}, spool.Entry{Seq: 1, Time: time.Unix(1_900_000_000, 0).UTC(), Stream: "stderr"})
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2030-03-17T17:46:40.123456Z","seq":7,"stream":"stdout","text":"a \"line\" <with> ü and \ufffd",` +
		`"run":"r1","image":"node-jobs","digest":"sha256:` + strings.Repeat("a", 64) + `","host":"etl-1","key":"etl/day/task","meta":{"customer":"c<1>","owner":"ana"}}
{"time":"2030-03-17T17:46:40Z","seq":1,"stream":"stderr","text":"","run":"r2"}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	f.Forward(aRun(t, "r1"), entry(8, "after the end")) // is no panic
}

// Each target has all lines, and those of a run in their order, whoever else
// forwards at the time.
func TestAllTargetsGetAllLines(t *testing.T) {
	t.Parallel()
	var a, b buffer
	f := starts(t, Target{Kind: Stdout, Out: &a}, Target{Kind: Stdout, Out: &b})
	var runs sync.WaitGroup
	for r := range 8 {
		runs.Go(func() {
			for i, text := range numbers(1000) {
				f.Forward(aRun(t, fmt.Sprint("r", r)), entry(int64(i+1), text))
			}
		})
	}
	runs.Wait()
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, out := range []*buffer{&a, &b} {
		next := map[string]int64{}
		for _, o := range objects(t, out.String()) {
			if next[o.Run]++; o.Seq != next[o.Run] {
				t.Fatalf("line %d of %s came as the %dth", o.Seq, o.Run, next[o.Run])
			}
		}
		for r, n := range next {
			if n != 1000 {
				t.Errorf("%d lines of %s", n, r)
			}
		}
		if len(next) != 8 {
			t.Errorf("lines of %d runs", len(next))
		}
	}
}

// A target that is stuck stops no run and no other target; what it missed is
// counted, and said where it is missing.
func TestSlowTargetsLoseLinesAndKnowHowMany(t *testing.T) {
	t.Parallel()
	const all = 3 * maxLines
	var slow, fast buffer
	slow.held.Lock()
	f := starts(t, Target{Kind: Stdout, Out: &slow}, Target{Kind: Stdout, Out: &fast})
	r := aRun(t, "r")
	for i := range all {
		f.Forward(r, entry(int64(i+1), "text"))
		if i%1000 == 0 {
			for f.workers[1].queue.left() > maxLines/4 {
				time.Sleep(time.Millisecond) // this one is to keep up
			}
		}
	}
	slow.held.Unlock()
	for f.workers[0].queue.left() > 0 {
		time.Sleep(time.Millisecond)
	}
	f.Forward(r, entry(all+1, "text"))
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := objects(t, fast.String()); len(got) != all+1 || dropped(got) != 0 {
		t.Errorf("the fast target has %d lines, %d dropped", len(got), dropped(got))
	}
	got := objects(t, slow.String())
	if n := len(texts(got)); n < maxLines || n+dropped(got) != all+1 {
		t.Errorf("the slow target has %d lines, and %d were dropped, of %d", n, dropped(got), all+1)
	}
	expectNotices(t, got)
}

// expectNotices checks that each gap in the numbers has a notice of its size.
func expectNotices(t *testing.T, all []object) {
	t.Helper()
	next, missing := int64(1), 0
	for _, o := range all {
		if o.Dropped > 0 {
			if o.Stream != "prewarm" || !strings.HasPrefix(o.Text, fmt.Sprintf("%d lines were not forwarded: ", o.Dropped)) {
				t.Errorf("notice %+v", o)
			}
			missing += o.Dropped
			continue
		}
		if o.Seq != next+int64(missing) {
			t.Fatalf("line %d follows line %d and a notice of %d", o.Seq, next-1, missing)
		}
		next, missing = o.Seq+1, 0
	}
}

// A write that is cut goes on where it was cut.
func TestCutWritesGoOn(t *testing.T) {
	t.Parallel()
	out := buffer{max: 1000}
	f := starts(t, Target{Kind: Stdout, Out: &out})
	for i, text := range numbers(200) {
		f.Forward(aRun(t, "r"), entry(int64(i+1), text))
	}
	// Close waits for less than a slow machine takes.
	for end := time.Now().Add(time.Minute); strings.Count(out.String(), "\n") < 200 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(200), texts(objects(t, out.String()))); diff != "" {
		t.Error(diff)
	}
}

// A failure is logged once, and so is its end.
func TestFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log, out buffer
		broken := &failing{w: &out, until: time.Now().Add(10 * time.Second)}
		f, err := New([]Target{{Kind: Stdout, Out: broken}}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		f.Forward(aRun(t, "r"), entry(1, "one"))
		time.Sleep(9 * time.Second)
		f.Forward(aRun(t, "r"), entry(2, "two"))
		time.Sleep(9 * time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"one", "two"}, texts(objects(t, out.String()))); diff != "" {
			t.Error(diff)
		}
		if got := log.String(); strings.Count(got, "level=WARN") != 1 || strings.Count(got, "level=INFO") != 1 || !strings.Contains(got, "out of order") ||
			!strings.Contains(got, `target="standard output"`) || strings.Contains(got, "one") {
			t.Errorf("logged:\n%s", got)
		}
	})
}

// failing is a writer that fails for some time.
type failing struct {
	w     io.Writer
	until time.Time
}

func (f *failing) Write(p []byte) (int, error) {
	if time.Now().Before(f.until) {
		return 0, fmt.Errorf("out of order")
	}
	return f.w.Write(p)
}

// Close is over in two seconds, whatever a target does, and says what is left.
func TestCloseWaitsForNobodyForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		f, err := New([]Target{
			{Kind: Stdout, Out: &failing{until: time.Now().Add(time.Hour)}},
			{Kind: Stdout, Out: writer(func(p []byte) (int, error) { <-stuck; return len(p), nil })},
			{Kind: Syslog, Network: "udp", Address: "127.0.0.1:1"},
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(3) {
			f.Forward(aRun(t, "r"), entry(i+1, "text"))
		}
		time.Sleep(time.Second)
		began := time.Now()
		err = f.Close(t.Context())
		if took := time.Since(began); took > flushTime+2*stuckTime {
			t.Errorf("it took %v", took)
		}
		if err == nil || strings.Count(err.Error(), "forward lines to standard output: 3 were left") != 2 {
			t.Errorf("got %v", err)
		}
		close(stuck)
	})
}

// writer is a function that writes.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestTargetsThatCantBeAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{}, `there is no kind ""`},
		{Target{Kind: "fax"}, `forward lines to fax: there is no kind "fax"`},
		{Target{Kind: File}, "no path"},
		{Target{Kind: Syslog, Network: "ipx"}, `there is no network "ipx"`},
		{Target{Kind: Syslog, Network: "tcp"}, "no address"},
		{Target{Kind: Syslog, Facility: "kern"}, `forward lines to syslog at unixgram /dev/log: there is no facility "kern"`},
	} {
		_, err := New([]Target{{Kind: Stdout}, c.target}, slog.New(slog.DiscardHandler))
		if problem.CodeOf(err) != problem.InvalidConfig || !strings.Contains(err.Error(), c.want) || problem.From(err).Mend == "" {
			t.Errorf("%+v: got %v", c.target, err)
		}
	}
	f, err := New(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.Forward(runner.Run{}, spool.Entry{})
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkForward(b *testing.B) {
	f, err := New([]Target{{Kind: File, Path: b.TempDir() + "/lines"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	r, e := aRun(b, "01890a5d-ac96-774b-bcce-b302099a8057"), entry(1, strings.Repeat("x", 100))
	for b.Loop() {
		f.Forward(r, e)
	}
	dropped := f.workers[0].queue.left()
	b.ReportMetric(float64(dropped), "left")
	_ = f.Close(b.Context())
}

func BenchmarkEncode(b *testing.B) {
	r, e := aRun(b, "01890a5d-ac96-774b-bcce-b302099a8057"), entry(1, strings.Repeat("x", 100))
	for b.Loop() {
		encode(r, e)
	}
}
