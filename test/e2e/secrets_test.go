//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// mark is in every secret that the test plants, and in nothing else.
const mark = "hush7e1"

// shown is in something that is no secret: it must be found where all is searched.
const shown = "shown7e1"

// secrets plants marked secrets.
type secrets struct {
	t   *testing.T
	dir string
}

// value makes a secret of its own for each name.
func (s secrets) value(name string) string { return mark + "-" + name + "-0123456789abcdef" }

// file gives a file with a secret in it, and before it what makes it one.
func (s secrets) file(name, before string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(before+s.value(name)+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// inbox takes what people are told.
type inbox struct {
	mu  sync.Mutex
	got []string // by path and body
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	// The path is the secret of a Slack address: it is told to nobody else.
	i.got = append(i.got, string(b))
	if strings.Contains(r.URL.Path, "refuse") {
		w.WriteHeader(http.StatusForbidden)
	}
	_, _ = io.WriteString(w, "ok")
}

func (i *inbox) all() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.got, "\n")
}

// No secret comes out of anywhere: not of the log, the API, the command line, a
// notice, a metric, the state, an argument of a process, a label of a container.
// What is in the container's environment its engine shows to its users; that is
// said in docs/security.md.
func TestNoSecretComesOut(t *testing.T) {
	s := secrets{t, t.TempDir()}
	people := &inbox{}
	slack := httptest.NewServer(people)
	defer slack.Close()
	private := addRegistry(t, fleet.RegistryOptions{Name: "secrets", Accounts: map[string]string{"ci": s.value("registry")}, Tokens: time.Minute})
	setup := prewarmtest.SetupOf(shared, "", "")
	setup.Registries = append(setup.Registries, fmt.Sprintf("{name: %s, plain_http: true, username: ci, password_file: %s}", private.Addr, s.file("registry", "")))
	setup.Images = []string{
		fmt.Sprintf("{name: jobs, repository: %s/%s, watch: '@every 1s'}", private.Addr, repo(t)),
		fmt.Sprintf("{name: nothing, repository: %s/nothing, watch: '@every 1s'}", private.Addr),
	}
	setup.Server = "public_url: https://prewarm.test"
	setup.Further = plantedSections(s, slack.URL)
	pushed := pushTo(t, private, repo(t)+":latest", fleet.ProgramImage("one"))
	b := &bench{t: t, dir: t.TempDir(), log: &logBuffer{}}
	var err error
	if b.address, err = prewarmtest.FreeAddress(); err != nil {
		t.Fatal(err)
	}
	b.set(setup)
	b.serve("--log-level=DEBUG")
	t.Cleanup(func() {
		_ = b.Kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", b.log)
		}
	})
	ops := &api.Client{URL: b.URL, Token: s.value("ops")}
	await(t, "the image goes live", func() bool {
		image, err := ops.Image(t.Context(), "jobs")
		return err == nil && image.Tracks[0].Current != nil && image.Tracks[0].Current.Digest == pushed
	})
	h := &harvest{t: t}
	run := s.work(b, ops)
	await(t, "people were told of the failure", func() bool { return strings.Contains(people.all(), run.ID) })
	h.labels()
	h.add("notices", people.all())
	h.everyAnswer(b, ops, run)
	h.commandLines(b, s)
	h.processes()
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
	h.add("log", b.log.String())
	h.folder("state", filepath.Join(b.dir, "state"))
	h.search()
}

func plantedSections(s secrets, slack string) string {
	key := filepath.Join(s.dir, "key")
	if err := os.WriteFile(key, []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`runner: {secret_key_file: %s}
auth:
  tokens:
    - {name: ops, token_file: %s, scopes: [admin]}
    - {name: airflow, token_file: %s, scopes: [run], namespace: etl}
webhooks:
  - {name: ci, kind: generic, secret_file: %s, previous_secret_file: %s, repositories: ['*/**']}
  - {name: hub, kind: dockerhub, path_secret_file: %s, repositories: ['docker.io/**']}
notify:
  - {name: chat, slack: {webhook_url_file: %s}, on: [run_failed, run_started, image_promoted], group: 1s}
  - {name: refused, slack: {webhook_url_file: %s}, on: [run_failed], group: 1s}
  - {name: bot, slack: {token_file: %s, channel: '#etl', api_url: 'http://127.0.0.1:9/api'}, on: [run_failed], group: 1s}
  - {name: mail, email: {host: 127.0.0.1, port: 9, from: a@prewarm.test, to: [b@prewarm.test], username: u, password_file: %s}, on: [run_failed], group: 1s}
  - {name: json, webhook: {url: '%s/json', secret_file: %s}, on: [run_failed], group: 1s}
`, key, s.file("ops", ""), s.file("airflow", ""), s.file("hook", ""), s.file("hook-before", ""), s.file("path", ""),
		s.file("slack", slack+"/services/"), s.file("slack-refused", slack+"/refuse/"), s.file("bot", "xoxb-"), s.file("smtp", ""), slack, s.file("signing", ""))
}

// work has secrets used in every way: rightly, and wrongly.
func (s secrets) work(b *bench, ops *api.Client) api.Run {
	s.t.Helper()
	airflow := &api.Client{URL: b.URL, Token: s.value("airflow")}
	submitted, err := airflow.Submit(s.t.Context(), api.SubmitRun{
		Image: "jobs", Command: []string{"env"}, Key: "dag/task", Tries: 1, Try: 1,
		SecretEnv: []api.SecretEnv{{Name: "PASSWORD", Value: s.value("password")}},
	}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := airflow.Wait(s.t.Context(), submitted.ID, time.Minute); err != nil {
		s.t.Fatal(err)
	}
	failed, err := airflow.Submit(s.t.Context(), api.SubmitRun{
		Image: "jobs", Command: []string{"exit", "3"}, Meta: map[string]string{"customer": shown}, SecretEnv: []api.SecretEnv{{Name: "PASSWORD", Value: s.value("password2")}},
	}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	run, err := airflow.Wait(s.t.Context(), failed.ID, time.Minute)
	if err != nil || run.State != "failed" {
		s.t.Fatalf("%+v, %v", run, err)
	}
	// A wrong token, secret or address is not repeated to whoever sent it.
	for _, request := range []struct{ method, path, header, value, body string }{
		{http.MethodPost, "/v1/webhooks/hub/" + s.value("path"), "Content-Type", "application/json", `{"repository":{"repo_name":"a/b"},"push_data":{"tag":"latest"}}`},
		{http.MethodPost, "/v1/webhooks/hub/" + s.value("wrong-path"), "Content-Type", "application/json", `{}`},
		{http.MethodGet, "/v1/webhooks/hub/" + s.value("path"), "Authorization", "Bearer " + s.value("ops"), ""},
		{http.MethodPost, "/v1/webhooks/ci", "Authorization", "Bearer " + s.value("hook"), `{"images":[{"ref":"example.com/a/b:1"}]}`},
		{http.MethodPost, "/v1/webhooks/ci", "Authorization", "Bearer " + s.value("wrong-hook"), `{"images":[]}`},
		{http.MethodPost, "/v1/webhooks/ci", "Authorization", "Bearer " + s.value("hook-before"), `{"images":`},
		{http.MethodGet, "/v1/runs", "Authorization", "Bearer " + s.value("wrong-token"), ""},
		{http.MethodPost, "/v1/runs", "Authorization", "Bearer " + s.value("airflow"), `{"image":"jobs","secret_env":[{"name":"A","value":"` + s.value("bad") + `"}],"nonsense":1}`},
		{http.MethodPost, "/v1/runs", "Authorization", "Bearer " + s.value("airflow"), `{"image":"jobs","secret_env":[{"name":"A=","value":"` + s.value("bad") + `"}]}`},
		{http.MethodPost, "/v1/runs", "Authorization", "Bearer " + s.value("airflow"), `{"image":"jobs","secret_env":"` + s.value("bad") + `"}`},
	} {
		_, body := askRaw(s.t, b, request.method, request.path, request.body, request.header, request.value)
		if strings.Contains(body, mark) {
			s.t.Errorf("%s %s was answered a secret: %s", request.method, strings.SplitN(request.path, mark, 2)[0], body)
		}
	}
	if _, err := ops.TestNotices(s.t.Context(), "chat", api.NoticeTestRequest{Kind: "run_failed", Send: true}); err != nil {
		s.t.Error(err)
	}
	return run
}

// askRaw sends what no client of ours would.
func askRaw(t *testing.T, b *bench, method, path, body string, header ...string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, b.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// harvest is all that came out.
type harvest struct {
	t   *testing.T
	got []struct{ from, text string }
}

func (h *harvest) add(from, text string) {
	if text == "" {
		h.t.Errorf("%s: nothing came out, so that nothing was tested", from)
	}
	h.got = append(h.got, struct{ from, text string }{from, text})
}

// search looks for the mark in all of it.
func (h *harvest) search() {
	found := make(map[string]bool)
	for _, g := range h.got {
		if i := strings.Index(g.text, mark); i >= 0 {
			h.t.Errorf("%s has a secret: …%q…", g.from, g.text[max(0, i-200):min(len(g.text), i+60)])
		}
		for _, from := range []string{"notices", "GET /v1/runs/{id}", "state: prewarm.db"} {
			if strings.HasPrefix(g.from, from) && strings.Contains(g.text, shown) {
				found[from] = true
			}
		}
	}
	if len(found) != 3 {
		h.t.Errorf("what is no secret was found in %v only: the search finds nothing", found)
	}
}

// everyAnswer asks for all that can be read by the API.
func (h *harvest) everyAnswer(b *bench, ops *api.Client, run api.Run) {
	auth := []string{"Authorization", "Bearer " + ops.Token}
	_, text := askRaw(h.t, b, http.MethodGet, "/openapi.json", "", auth...)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		h.t.Fatal(err)
	}
	read := 0
	for path, methods := range document.Paths {
		if _, ok := methods["get"]; !ok {
			continue
		}
		name := map[bool]string{true: "etl-1", false: "jobs"}[strings.Contains(path, "/hosts/")]
		asked := strings.NewReplacer("{id}", run.ID, "{name}", name).Replace(path)
		if path == "/v1/explain" {
			asked += "?host=etl-1&image=jobs"
		}
		status, text := askRaw(h.t, b, http.MethodGet, asked, "", auth...)
		if status == http.StatusOK {
			read++
		}
		h.add("GET "+path, text+" ")
	}
	if read < 15 {
		h.t.Errorf("only %d answers were read", read)
	}
	_, text = askRaw(h.t, b, http.MethodGet, "/metrics", "", auth...)
	h.add("GET /metrics", text)
	_, text = askRaw(h.t, b, http.MethodGet, "/v1/runs/"+run.ID+"/logs?follow=false", "", auth...)
	h.add("the log of a run", text+" ")
}

// commandLines takes what the verbs print.
func (h *harvest) commandLines(b *bench, s secrets) {
	token := filepath.Join(s.dir, "ops")
	for _, args := range [][]string{
		{"status"},
		{"ps"},
		{"history", "jobs"},
		{"images"},
		{"df"},
		{"webhooks"},
		{"notices"},
		{"token", "list"},
		{"audit"},
		{"prunes"},
		{"scopes"},
		{"config", "show", "--config", b.configFile()},
		{"config", "check", "--config", b.configFile()},
		{"doctor", "--config", b.configFile()},
		{"check", "nothing"},
		{"check", "jobs"},
		{"notify", "test", "chat"},
	} {
		cmd := append([]string{}, args...)
		if args[0] != "config" && args[0] != "doctor" {
			cmd = append(cmd, "--token-file", token)
		}
		r := b.cli(cmd...)
		h.add("prewarm "+strings.Join(args, " "), r.stdout+r.stderr+" ")
	}
	wrong := filepath.Join(s.dir, "wrong")
	if err := os.WriteFile(wrong, []byte(s.value("wrong")), 0o600); err != nil {
		h.t.Fatal(err)
	}
	r := b.cli("ps", "--token-file", wrong)
	if r.code == 0 {
		h.t.Error("a wrong token was let in")
	}
	h.add("prewarm ps with a wrong token", r.stderr)
}

// processes takes the arguments of all that runs on this machine.
func (h *harvest) processes() {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		h.t.Fatal("no processes", err)
	}
	var all bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil { // else it has ended
			all.Write(text)
			all.WriteByte('\n')
		}
	}
	h.add("the arguments of processes", all.String())
}

// labels takes what the engines show of the containers beside their environment.
func (h *harvest) labels() {
	for _, host := range shared.Hosts {
		for _, id := range strings.Fields(docker(h.t, host, "ps", "-aq", "--no-trunc")) {
			// One that is removed just now shows nothing.
			r := finish(h.t, exec.CommandContext(h.t.Context(), "docker", "-H", host.Socket, "inspect",
				"--format", "{{json .Config.Labels}} {{json .Config.Cmd}} {{.Name}} {{json .HostConfig}}", id))
			h.add("a container of "+host.Name, r.stdout+" ")
		}
	}
}

// folder takes the bytes of all files below a folder.
func (h *harvest) folder(what, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h.add(what+": "+filepath.Base(path), string(text)+" ")
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
}
