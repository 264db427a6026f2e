//go:build install

package install

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var dockerfileBlock = regexp.MustCompile("(?s)```dockerfile\n(.*?)```")

// The Dockerfile of docs/airflow-bash.md brings the program into Airflow's image.
// There is something else under the name of that image, with a shell: the COPY is
// what is tried.
func TestProgramInAirflowImage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	guide, err := os.ReadFile(filepath.Join(root(t), "docs/airflow-bash.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := dockerfileBlock.FindSubmatch(guide)
	if block == nil {
		t.Fatal("docs/airflow-bash.md has no Dockerfile")
	}
	base := regexp.MustCompile(`(?m)^FROM (\S+)$`).FindSubmatch(block[1])
	from := regexp.MustCompile(`COPY --from=(\S+) `).FindSubmatch(block[1])
	if base == nil || from == nil {
		t.Fatalf("the Dockerfile of docs/airflow-bash.md is another than this test knows:\n%s", block[1])
	}
	host := shared.Hosts[0].Socket
	dockerAt(ctx, t, host, busyboxImage(t, "sh"), "import", "-", string(base[1]))
	prewarmImage(ctx, t, host, string(from[1]))
	buildDockerfile(ctx, t, host, "airflow-with-prewarm", string(block[1]))

	out := dockerAt(ctx, t, host, nil, "run", "--rm", "airflow-with-prewarm", "/bin/sh", "-c", "prewarm version")
	if !strings.Contains(out, "prewarm") {
		t.Errorf("prewarm version says %q", out)
	}
}

// buildDockerfile builds a Dockerfile without a context, by the engine's own builder:
// Debian has no other.
func buildDockerfile(ctx context.Context, t *testing.T, host, tag, dockerfile string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "docker", "--host", host, "build", "--quiet", "--tag", tag, "-")
	cmd.Env, cmd.Stdin = append(os.Environ(), "DOCKER_BUILDKIT=0"), strings.NewReader(dockerfile)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
}

// prewarmImage builds Prewarm's own image, the real one, into an engine.
func prewarmImage(ctx context.Context, t *testing.T, host, tag string) {
	t.Helper()
	_, version, _ := strings.Cut(tag, ":")
	platform := dockerAt(ctx, t, host, nil, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
	build := exec.CommandContext(ctx, "go", "run", "./tools/image", "-o", t.TempDir(), "-tag", tag, "-version", version, "-platforms", platform, "-load", "always")
	build.Dir, build.Env = root(t), append(os.Environ(), "DOCKER_HOST="+host)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", tag, err, out)
	}
}
