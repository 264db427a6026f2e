package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/prewarm/prewarm/runner"
)

// scrape gives what Prometheus gets.
func scrape(t testing.TB, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v: %s", w.Code, err, body)
	}
	return string(body)
}

// ours are the lines that do not depend on the build and the process.
func ours(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if strings.Contains(line, prefix) && !strings.Contains(line, "build_info") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestScrape(t *testing.T) {
	t.Parallel()
	same(t, "testdata/scrape.txt", ours(scrape(t, lived(t))))
}

func TestEveryFamilyIsInTheScrape(t *testing.T) {
	t.Parallel()
	m := lived(t)
	page := scrape(t, m)
	for _, f := range m.families {
		if !strings.Contains(page, "# TYPE "+f.name+" "+string(f.kind)+"\n") {
			t.Errorf("%s is not in a scrape in which everything has happened", f.name)
		}
	}
	build := regexp.MustCompile(`(?m)^prewarm_build_info\{commit="[^"]+",goversion="go[^"]+",version="test"\} 1$`)
	if !build.MatchString(page) || !strings.Contains(page, "go_goroutines ") || !strings.Contains(page, "process_resident_memory_bytes ") {
		t.Errorf("what runs is not told:\n%s", page)
	}
}

// One odd source takes nothing from who scrapes but its own number.
func TestWhatIsToldTwiceSpoilsNoScrape(t *testing.T) {
	t.Parallel()
	m := lived(t)
	from := small()
	from.Routes = func() []Route { return []Route{{Name: "ops"}, {Name: "ops"}} }
	from.Hooks = func() []Hook { return []Hook{{Name: "ci", Verdicts: map[string]int64{"new-one": 2, "newer": 3}}} }
	m.Watch(from)
	scrape(t, m) // which is what counts the failure
	page := scrape(t, m)
	for _, line := range []string{
		`prewarm_host_up{host="a"} 1`, `prewarm_outbox_waiting{route="ops"} 0`, `promhttp_metric_handler_errors_total{cause="gathering"} 1`,
		`prewarm_webhook_deliveries_total{hook="ci",verdict="other"} 5`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(lived(t).gatherer)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What is counted begins at 0, so that the first failure is a rise.
func TestSeriesBeginAtZero(t *testing.T) {
	t.Parallel()
	m := New("test")
	m.Use(Names{Images: []string{"jobs"}, Hosts: []string{"a"}, Registries: []string{"docker.io"}})
	page := scrape(t, m)
	for _, line := range []string{
		`prewarm_runs_total{image="jobs",outcome="lost"} 0`,
		`prewarm_drift_repairs_total{host="a"} 0`,
		`prewarm_pull_seconds_count{registry="docker.io",result="failed"} 0`,
		`prewarm_looks_total{image="jobs",result="failed",why="webhook"} 0`,
		`prewarm_run_start_seconds_count 0`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func TestNamesThatLeaveTheConfigurationAreGone(t *testing.T) {
	t.Parallel()
	m := lived(t)
	before := ours(scrape(t, m))
	for _, label := range []string{`image="jobs"`, `host="a"`, `registry="docker.io"`} {
		if !strings.Contains(before, label) {
			t.Errorf("%s is not there at first", label)
		}
	}
	m.Use(Names{Images: []string{"next"}, Hosts: []string{"b"}})
	m.Lagged("a", time.Second)
	m.Promoted("jobs", time.Second)
	after := ours(scrape(t, m))
	for _, label := range []string{`image="jobs"`, `host="a"`, `registry="`} {
		if strings.Contains(strings.ReplaceAll(after, `name="a"`, ""), label) {
			t.Errorf("%s is still there:\n%s", label, after)
		}
	}
	if !strings.Contains(after, `prewarm_promotion_seconds_count{image="next"} 0`) {
		t.Error("the new image has no series")
	}
	m.Use(Names{Images: []string{"jobs"}})
	if page := scrape(t, m); !strings.Contains(page, `prewarm_promotion_seconds_count{image="jobs"} 0`) {
		t.Error("an image that came back goes on with its old numbers")
	}
}

// Whatever callers and registries make up, the number of series stays what the
// configuration makes it.
func TestNothingMadeUpBecomesALabel(t *testing.T) {
	t.Parallel()
	m := lived(t)
	count := func() int {
		n, err := testutil.GatherAndCount(m.gatherer)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	once := func(i int) {
		name := fmt.Sprint("made-up-", i)
		pin := pinOf(t, fmt.Sprintf("%d.example.com/made/up", i), i)
		for _, image := range []string{name, "jobs"} {
			run := runner.Run{ID: name, Image: image, Host: name, Pin: pin, State: runner.State(name), Submitted: time.Now()}
			m.Pulled(name, image, pin, time.Second, 1, errTest)
			m.Promoted(image, time.Second)
			m.Looked(image, name, fmt.Errorf("%s: %w", name, context.Canceled))
			m.Repaired(name)
			m.Pruned(name, 1, 1, errTest)
			m.Submitted(image, true)
			m.Started(run, time.Second)
			m.FirstLine(run, time.Second)
			m.Ended(run)
			m.Lagged(name, time.Second)
		}
	}
	before := count()
	for i := range 500 {
		once(i)
	}
	if after := count(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	page := scrape(t, m)
	if strings.Contains(page, "made-up") || strings.Contains(page, "example.com/") {
		t.Error("a made-up name is exported")
	}
	for _, line := range []string{`prewarm_runs_total{image="jobs",outcome="other"} 500`, `prewarm_looks_total{image="jobs",result="canceled",why="other"} 500`} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func TestScrapesWhileEverythingHappens(t *testing.T) {
	t.Parallel()
	m := lived(t)
	pin := pinOf(t, "docker.io/etl/jobs", 2)
	run := runner.Run{Image: "jobs", Host: "a", Pin: pin, State: runner.Failed, Submitted: time.Now()}
	var all sync.WaitGroup
	for _, do := range []func(){
		func() { m.Pulled("a", "jobs", pin, time.Second, 1, nil) },
		func() { m.Started(run, time.Second); m.Ended(run) },
		func() { m.Lagged("a", time.Second) },
		func() {
			m.Use(Names{Images: []string{"jobs"}, Hosts: []string{"a"}, Registries: []string{"docker.io"}})
		},
		func() { m.Use(Names{}) },
		func() { m.Watch(small()) },
	} {
		all.Go(func() {
			for range 100 {
				do()
			}
		})
	}
	for range 3 {
		all.Go(func() {
			for range 5 {
				if _, err := m.gatherer.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
