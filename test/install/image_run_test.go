//go:build install

package install

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

const airflowToken = "a-token-of-the-tests-and-of-nobody-else"

// ownership is whose a file is, and what others may do with it.
func ownership(h *tar.Header) string { return fmt.Sprintf("%d:%d %o", h.Uid, h.Gid, h.Mode&0o7777) }

// contained is prewarm serve in a container on the fleet's host, run as
// docs/install/image.md says.
type contained struct {
	t                   *testing.T
	name, volume        string
	config, secret, url string
}

// healthy tells what else than healthy the engine finds a container.
func healthy(name string) error {
	health, err := tryDocker("inspect", "--format", "{{json .State.Health}}", name)
	if err == nil && !strings.Contains(health, `"Status":"healthy"`) {
		err = fmt.Errorf("its health is %s", health)
	}
	return err
}

func newContained(t *testing.T) *contained {
	t.Helper()
	image(t)
	c := &contained{t: t, name: "prewarm-test", volume: "prewarm-test-state"}
	c.url = "http://" + net.JoinHostPort(shared.Hosts[0].Addr, "8470")
	dir := t.TempDir()
	c.config, c.secret = filepath.Join(dir, "prewarm.yaml"), filepath.Join(dir, "airflow")
	setup := prewarmtest.Setup{
		Address: "':8470'", Server: "insecure: true", State: "/var/lib/prewarm",
		Registries: []string{prewarmtest.Registry(shared.Registry)},
		Hosts:      []string{"{name: local, endpoint: unix:///var/run/docker.sock}"},
		Images:     []string{fmt.Sprintf("{name: jobs, repository: %s/contained, watch: '@every 1s'}", shared.Registry.Addr)},
		Further:    "auth: {tokens: [{name: airflow, token_file: /run/secrets/airflow, scopes: [admin]}]}\n",
	}
	for file, text := range map[string]string{c.config: setup.String(), c.secret: airflowToken} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := exec.Command("docker", "logs", c.name)
			log.Env = append(os.Environ(), "DOCKER_HOST="+shared.Hosts[0].Socket)
			said, err := log.CombinedOutput()
			t.Logf("%s (%v)", said, err)
		}
		for _, args := range [][]string{{"rm", "--force", c.name}, {"volume", "rm", "--force", c.volume}} {
			if _, err := tryDocker(args...); err != nil {
				t.Log(err)
			}
		}
	})
	return c
}

// start runs the container, and waits until the engine finds it healthy.
func (c *contained) start() {
	c.t.Helper()
	socket := strings.TrimPrefix(shared.Hosts[0].Socket, "unix://")
	info, err := os.Stat(socket)
	if err != nil {
		c.t.Fatal(err)
	}
	docker(c.t, "run", "--detach", "--name", c.name, "--publish", "8470:8470",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--volume", c.volume+":/var/lib/prewarm", "--volume", c.config+":/etc/prewarm/prewarm.yaml:ro", "--volume", c.secret+":/run/secrets/airflow:ro",
		"--volume", socket+":/var/run/docker.sock", "--group-add", strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid)),
		"--health-interval", "1s", imageTag)
	await(c.t, 2*time.Minute, func() error { return healthy(c.name) })
}

// stop ends the container as an upgrade does, and wants a clean end.
func (c *contained) stop() {
	c.t.Helper()
	began := time.Now()
	docker(c.t, "stop", "--time", "20", c.name)
	took := time.Since(began)
	c.t.Logf("docker stop took %v", took.Round(time.Millisecond))
	if code := docker(c.t, "inspect", "--format", "{{.State.ExitCode}}", c.name); code != "0" || took > 8*time.Second {
		c.t.Errorf("after SIGTERM it ended with %s in %v", code, took)
	}
	docker(c.t, "rm", c.name)
}

func (c *contained) client() *api.Client {
	return &api.Client{URL: c.url, Token: airflowToken, Insecure: true}
}

// cli runs the program that is in the image, on this machine.
func (c *contained) cli(args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(image(c.t).dir, "prewarm-linux-"+runtime.GOARCH), args...)
	cmd.Env = append(os.Environ(), "PREWARM_URL="+c.url, "PREWARM_TOKEN="+airflowToken, "PREWARM_INSECURE=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("prewarm %v: %v\n%s%s", args, err, out, said.String())
	}
	return string(out)
}

// current is the digest that runs of jobs get.
func (c *contained) current() string {
	c.t.Helper()
	i, err := c.client().Image(c.t.Context(), "jobs")
	if err != nil {
		c.t.Fatal(err)
	}
	if i.Tracks[0].Current == nil {
		return ""
	}
	return i.Tracks[0].Current.Digest
}

// pulls counts what the engine fetched of jobs since a moment.
func pulls(t *testing.T, since time.Time) int {
	t.Helper()
	stamp := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixNano())/1e9, 'f', 9, 64) }
	events := docker(t, "events", "--since", stamp(since), "--until", stamp(time.Now()), "--filter", "type=image", "--filter", "event=pull")
	return strings.Count(events, "/contained")
}

func TestTheImageServesWarmsRunsAndComesBack(t *testing.T) {
	began := time.Now()
	digest, err := shared.Registry.Push(t.Context(), "contained:latest", fleet.ProgramImage("1"))
	if err != nil {
		t.Fatal(err)
	}
	c := newContained(t)
	c.start()
	c.cli("warm", "jobs")
	await(t, 2*time.Minute, func() error {
		if got := c.current(); got != digest {
			return fmt.Errorf("current is %q", got)
		}
		return nil
	})
	if n := pulls(t, began); n == 0 {
		t.Error("the engine tells of no pull: this test would not see a second one")
	}
	if out := c.cli("run", "jobs", "--", "print", "from a container"); out != "from a container\n" {
		t.Errorf("the task printed %q", out)
	}
	if out := docker(t, "exec", c.name, "/prewarm", "health"); !strings.HasPrefix(out, "ready: prewarm 0.0.0-test") {
		t.Errorf("prewarm health said %q", out)
	}

	c.stop()
	stopped := time.Now()
	c.start()
	if got := c.current(); got != digest {
		t.Errorf("after the restart current is %q, not %s", got, digest)
	}
	var runs api.Runs
	if err := json.Unmarshal([]byte(c.cli("ps", "--all", "-o", "json")), &runs); err != nil || len(runs.Runs) != 1 || runs.Runs[0].State != "succeeded" {
		t.Errorf("after the restart the runs are %+v (%v)", runs, err)
	} else if out := c.cli("logs", runs.Runs[0].ID); out != "from a container\n" {
		t.Errorf("after the restart the log is %q", out)
	}
	time.Sleep(2 * time.Second) // two looks at the tag
	if n := pulls(t, stopped); n != 0 {
		t.Errorf("after the restart the engine was told to pull %d times", n)
	}
	c.stop()
}

// A team's own authority is a file more in a folder that is read anyway.
func TestTheImageTakesACertificateOfOnesOwn(t *testing.T) {
	c := newContained(t)
	secure, err := shared.AddRegistry(t.Context(), fleet.RegistryOptions{Name: "imagetls", TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("registries: [{name: '%s'}]\n", secure.Addr)
	if err := os.WriteFile(c.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(shared.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "team.crt") // the fleet's is root's alone
	if err := os.WriteFile(own, ca, 0o644); err != nil {
		t.Fatal(err)
	}
	doctor := func(more ...string) (string, error) {
		args := append([]string{"run", "--rm", "--network", "host", "--volume", c.config + ":/etc/prewarm/prewarm.yaml:ro"}, more...)
		return tryDocker(append(args, imageTag, "doctor")...)
	}
	if out, err := doctor(); err == nil || !strings.Contains(out, "certificate") {
		t.Errorf("without the authority doctor says %s", out)
	}
	for name, more := range map[string][]string{
		"a file beside the others": {"--volume", own + ":/etc/ssl/certs/team.crt:ro"},
		"a folder by SSL_CERT_DIR": {"--volume", filepath.Dir(own) + ":/run/authorities:ro", "--env", "SSL_CERT_DIR=/run/authorities"},
		"a file by SSL_CERT_FILE":  {"--volume", own + ":/run/team.crt:ro", "--env", "SSL_CERT_FILE=/run/team.crt"},
	} {
		if out, err := doctor(more...); err != nil || !strings.Contains(out, secure.Addr) {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
}
