//go:build install

package install

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// parts are the services that are started; see standIns for the others.
var parts = []string{"registry", "etl-1", "prewarm"}

// The example as its guide tells: up, an image pushed, a task of Airflow's on it,
// down and up, an upgrade, and its end.
func TestCompose(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	c := newComposed(ctx, t)
	c.standIn(ctx)
	prewarmImage(ctx, t, c.host, c.file.Services["prewarm"].Image)
	t.Cleanup(func() { c.end(context.WithoutCancel(ctx)) })

	c.up(ctx)
	digest := c.warm(ctx)
	c.task(ctx)
	run := c.ran(ctx, digest)

	c.compose(ctx, "down")
	if left := c.containers(ctx); left != "" {
		t.Errorf("down leaves containers: %s", left)
	}
	c.up(ctx)
	c.kept(ctx, run, digest)

	host := c.compose(ctx, "ps", "--quiet", "etl-1")
	c.upgrade(ctx)
	c.kept(ctx, run, digest)
	if now := c.compose(ctx, "ps", "--quiet", "etl-1"); now != host {
		t.Errorf("the upgrade of Prewarm made the Docker host anew: %s, before %s", now, host)
	}

	c.compose(ctx, "down", "--volumes")
	c.gone(ctx)
}

// standIn makes the images that can't be had.
func (c *composed) standIn(ctx context.Context) {
	c.t.Helper()
	all := standIns(findAirflow(ctx, c.t), unprivileged(ctx, c.t))
	for _, s := range all {
		image := c.file.Services[s.service].Image
		if image == "" {
			c.t.Fatalf("compose.yaml has no image for %s", s.service)
		}
		s.load(ctx, c.t, c.host, image)
	}
	c.beside = []string{filepath.Join(c.dir, "stand-ins.yaml")}
	if err := os.WriteFile(c.beside[0], []byte(override(all)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// up is `docker compose up --detach --wait` of what there are images of. What a
// container that is not healthy wrote is told.
func (c *composed) up(ctx context.Context) {
	c.t.Helper()
	cmd := c.command(ctx, append([]string{"up", "--detach", "--wait", "--wait-timeout", "120"}, parts...)...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "DOCKER_HOST="+c.host)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s\n%s\n%s", cmd, err, out, c.compose(ctx, "ps", "--all"), c.compose(ctx, "logs", "--tail", "30"))
	}
}

// warm does what the guide tells for a first image, on another busybox than Docker
// Hub's, and gives the digest that is live then.
func (c *composed) warm(ctx context.Context) string {
	c.t.Helper()
	commands := console(c.t, guide, "## The first task")
	name, pulled := strings.CutPrefix(commands[0], "docker pull ")
	if !pulled {
		c.t.Fatalf("the guide begins its first task by %q", commands[0])
	}
	dockerAt(ctx, c.t, c.host, busyboxImage(c.t, "sh", "echo"), "import", "-", name)
	for _, line := range commands[1:] {
		c.shell(ctx, line)
	}
	digest := c.current(ctx)
	pushed := c.docker(ctx, "image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
	if _, want, _ := strings.Cut(pushed, "@"); digest == "" || digest != want {
		c.t.Fatalf("the current digest is %q; pushed was %s", digest, pushed)
	}
	return digest
}

// current is the digest that runs of the image get, if it is warm.
func (c *composed) current(ctx context.Context) string {
	c.t.Helper()
	var status struct {
		Images []api.Image `json:"images"`
	}
	c.read(&status, c.prewarm(ctx, "status", "-o", "json"))
	for _, i := range status.Images {
		if i.Name == "jobs" && len(i.Tracks) == 1 && i.Tracks[0].Current != nil && i.Tracks[0].Current.Hosts[0].State == "warm" {
			return i.Tracks[0].Current.Digest
		}
	}
	return ""
}

// task runs the example's DAG in Airflow's container, with the settings, the
// secrets and the networks that compose.yaml gives to tasks. The database alone
// is another one, since there is no PostgreSQL: a file of the container's.
func (c *composed) task(ctx context.Context) {
	c.t.Helper()
	out := c.compose(ctx, "run", "--rm", "-T", "--no-deps", "--entrypoint", "sh",
		"--env", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////tmp/airflow.db",
		airflowService, "-euc", "airflow db migrate && timeout 120 airflow dags test jobs 2>&1")
	if !strings.Contains(out, "hello from") {
		c.t.Fatalf("the task's log has no line of the container:\n%s", out)
	}
}

// ran is the run that came of the task.
func (c *composed) ran(ctx context.Context, digest string) api.Run {
	c.t.Helper()
	var list api.Runs
	c.read(&list, c.prewarm(ctx, "ps", "--all", "-o", "json"))
	if len(list.Runs) != 1 {
		c.t.Fatalf("runs: %+v, want one", list.Runs)
	}
	run := list.Runs[0]
	if run.State != "succeeded" || run.Namespace != "airflow" || run.Host != "etl-1" || !strings.HasSuffix(run.Pin, "@"+digest) || !strings.HasPrefix(run.Key, "jobs/") {
		c.t.Fatalf("the task's run is %+v", run)
	}
	return run
}

// kept checks that what was there before still is: the run, its log, and the
// image, warm at once.
func (c *composed) kept(ctx context.Context, run api.Run, digest string) {
	c.t.Helper()
	if again := c.ran(ctx, digest); again.ID != run.ID {
		c.t.Errorf("the run was %s, and is %s", run.ID, again.ID)
	}
	if log := c.prewarm(ctx, "logs", run.ID); !strings.HasPrefix(log, "hello from ") {
		c.t.Errorf("the log of the run is %q", log)
	}
	eventually(ctx, c.t, "the image is warm again", func() bool { return c.current(ctx) == digest })
}

// upgrade is another number in .env, and up.
func (c *composed) upgrade(ctx context.Context) {
	c.t.Helper()
	const next = "next"
	repository, _, _ := strings.Cut(c.file.Services["prewarm"].Image, ":")
	prewarmImage(ctx, c.t, c.host, repository+":"+next)
	env := filepath.Join(c.dir, ".env")
	text, err := os.ReadFile(env)
	if err != nil {
		c.t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "PREWARM_VERSION=") })
	lines[at] = "PREWARM_VERSION=" + next
	if err := os.WriteFile(env, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.up(ctx)
	var version struct {
		Version string `json:"version"`
	}
	c.read(&version, c.prewarm(ctx, "version", "-o", "json"))
	if version.Version != next {
		c.t.Errorf("after the upgrade the version is %q", version.Version)
	}
}

// gone checks that nothing is left on the machine but images.
func (c *composed) gone(ctx context.Context) {
	c.t.Helper()
	if left := c.containers(ctx); left != "" {
		c.t.Errorf("down --volumes leaves containers: %s", left)
	}
	of := []string{"--quiet", "--filter", "label=com.docker.compose.project=prewarm"}
	for _, kind := range []string{"volume", "network"} {
		if left := c.docker(ctx, append([]string{kind, "ls"}, of...)...); left != "" {
			c.t.Errorf("down --volumes leaves %ss: %s", kind, left)
		}
	}
}

func (c *composed) containers(ctx context.Context) string {
	c.t.Helper()
	return c.docker(ctx, "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=prewarm")
}

// end takes down what a test that failed leaves.
func (c *composed) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := c.command(ctx, "down", "--volumes", "--timeout", "2")
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "DOCKER_HOST="+c.host)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}

func (c *composed) read(into any, text string) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		c.t.Fatalf("read %s: %v", text, err)
	}
}
