package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

const toldRun = "0192f0c1-7a52-7c3e-9c51-5a2f0c1d7b42"

// leaveEnded puts a run that failed, its log and the notice of it into a state.
func leaveEnded(t *testing.T, c *config.Config) {
	t.Helper()
	s, err := store.Open(t.Context(), c.State.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	run := runner.Run{
		ID: toldRun, Image: "jobs", State: runner.Failed, Exited: true, ExitCode: 3, Host: "etl-1", Terms: runner.Terms{Namespace: "finance"},
		Submitted: now, Started: now, Ended: now, Log: runner.LogState{Lines: 1, Complete: true},
	}
	if err := s.InsertRun(t.Context(), run, nil, nil); err != nil {
		t.Fatal(err)
	}
	e := notice.New(notice.RunFailed)
	e.Run = &notice.Run{ID: toldRun, Namespace: "finance", Task: "t"}
	if err := s.Tell(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	logs, err := spool.New(spool.Options{Dir: filepath.Join(c.State.Path, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := logs.Open(toldRun, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(spool.Entry{Time: now, Stream: "stdout", Text: "the db is down"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// open follows the link of a message as a browser does that knows no token.
func (r *running) open(t *testing.T, link string) (int, string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.addr+u.RequestURI(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = u.Host
	req.Header.Set("X-Forwarded-For", "192.0.2.7") // through the proxy that has the name
	answer, err := r.client.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// Who is told of a failure opens its log from the message, without a token.
func TestTheLinkOfAMessageOpensTheLog(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
	}))
	defer receiver.Close()
	c := load(t, "")
	c.Server.PublicURL = "https://prewarm.test"
	c.Auth.Tokens = []config.Token{{Name: "ci", Value: "hunter2-hunter2-hunter2", Grant: config.Grant{Scopes: []string{"admin"}, Namespace: "etl"}}}
	c.Notify = []config.Notify{{Name: "hook", Webhook: &config.NotifyWebhook{URL: config.Secret(receiver.URL), Secret: "0123456789abcdef"}}}
	leaveEnded(t, c)
	r := start(t, c)
	var body struct{ Link, Text string }
	if err := json.Unmarshal([]byte(<-got), &body); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(body.Link, "https://prewarm.test/runs/"+toldRun+"/log?") || !strings.Contains(body.Text, "Log: "+body.Link) {
		t.Fatalf("got %+v", body)
	}
	status, page := r.open(t, body.Link)
	if status != http.StatusOK || !strings.Contains(page, "the db is down\n") || !strings.Contains(page, "failed with exit code 3") || !strings.Contains(page, "Its log is complete.") {
		t.Fatalf("%d %s", status, page)
	}
	plain, query, _ := strings.Cut(body.Link, "?")
	if status, page := r.open(t, plain); status != http.StatusUnauthorized || !strings.Contains(page, "prewarm logs "+toldRun) {
		t.Errorf("without its signature: %d %s", status, page)
	}
	r.client.Token = "hunter2-hunter2-hunter2"
	await(t, "it is listed as sent", func() bool {
		all, err := r.client.Notices(t.Context(), "hook", 10)
		return err == nil && len(all.Notices) == 1 && all.Notices[0].State == "sent"
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	expectNowhere(t, c, r.log, query)

	key := filepath.Join(c.State.Path, "link.key")
	again := start(t, c)
	if status, _ := again.open(t, body.Link); status != http.StatusOK {
		t.Errorf("after a restart: %d", status)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	c.Server.LinkLife = 0
	off := start(t, c)
	if status, page := off.open(t, body.Link); status != http.StatusForbidden || !strings.Contains(page, "server.link_life") {
		t.Errorf("links are off: %d %s", status, page)
	}
	if err := off.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	c.Server.LinkLife = time.Hour
	if status, page := start(t, c).open(t, body.Link); status != http.StatusForbidden || !strings.Contains(page, "another key") {
		t.Errorf("with another key: %d %s", status, page)
	}
}

// Who submits gets the link that people read the log by, such as Airflow's users.
func TestASubmitAnswersALink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		public, begins string
		life           time.Duration
		opens          int // what the link answers to who has no token
	}{
		"signed":              {"https://prewarm.test/warm", "https://prewarm.test/warm/runs/", time.Hour, http.StatusOK},
		"asking for a token":  {"https://prewarm.test", "https://prewarm.test/runs/", 0, http.StatusUnauthorized},
		"no address of ours":  {"", "", time.Hour, 0},
		"no address, no life": {"", "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf := load(t, gone+"images:\n  - {name: jobs, repository: registry.test/jobs}\n")
			conf.Server.PublicURL, conf.Server.LinkLife = c.public, c.life
			conf.Auth.Tokens = []config.Token{{Name: "ci", Value: "hunter2-hunter2-hunter2", Grant: config.Grant{Scopes: []string{"run"}, Namespace: "etl"}}}
			r := start(t, conf)
			r.client.Token = "hunter2-hunter2-hunter2"
			run, err := r.client.Submit(t.Context(), api.SubmitRun{Image: "jobs", WaitWarm: api.Duration(time.Minute)}, "")
			if err != nil {
				t.Fatal(err)
			}
			page, query, signed := strings.Cut(run.Link, "?")
			if c.begins == "" {
				if run.Link != "" {
					t.Errorf("link %q", run.Link)
				}
				return
			}
			if page != c.begins+run.ID+"/log" || signed != (c.life > 0) {
				t.Fatalf("link %q", run.Link)
			}
			local := "https://prewarm.test/runs/" + run.ID + "/log" // as a proxy passes it on
			if signed {
				local += "?" + query
			}
			if status, text := r.open(t, local); status != c.opens || status == http.StatusOK && !strings.Contains(text, run.ID) {
				t.Errorf("%d %s", status, text)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if signed {
				expectNowhere(t, conf, r.log, query)
			}
		})
	}
}

// expectNowhere proves that nothing of a link is in the state or in the log.
func expectNowhere(t *testing.T, c *config.Config, l *log, query string) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil || values.Get("sign") == "" {
		t.Fatalf("%q, %v", query, err)
	}
	sign := values.Get("sign")
	if strings.Contains(l.String(), sign) {
		t.Error("the signature is in the log")
	}
	err = filepath.WalkDir(c.State.Path, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), sign) {
			t.Errorf("the signature is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What the configuration says of links counts at once.
func TestLinksAreTurnedOffByAReload(t *testing.T) {
	t.Parallel()
	r := startReloading(t, "")
	link := "http://prewarm.test/runs/" + toldRun + "/log?until=1&sign=x"
	if _, page := r.open(t, link); !strings.Contains(page, "This link opens nothing") {
		t.Errorf("%s", page)
	}
	if err := os.WriteFile(r.path, []byte("server: {listen: 127.0.0.1:0, link_life: 0}\nstate: {path: state}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.app.Reload()
	await(t, "it is taken", func() bool { return strings.Contains(r.log.String(), "server.link_life 168h -> 0s") })
	await(t, "links are off", func() bool { _, page := r.open(t, link); return strings.Contains(page, "server.link_life") })
}
