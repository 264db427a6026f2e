//go:build install

package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The page of the image is carried out from its top to its end, but for make
// image, which another test does. Only the socket has another path here.
func TestTheImagePage(t *testing.T) {
	image(t)
	docker(t, "tag", imageTag, "ghcr.io/prewarm/prewarm:dev")
	page, err := os.ReadFile(filepath.Join(root(t), "docs", "install", "image.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, args := range [][]string{{"rm", "--force", "prewarm"}, {"volume", "rm", "--force", "prewarm-state"}} {
			if _, err := tryDocker(args...); err != nil {
				t.Log(err)
			}
		}
	})
	socket := strings.TrimPrefix(shared.Hosts[0].Socket, "unix://")
	local := strings.NewReplacer("--volume /var/run/docker.sock:", "--volume "+socket+":", "stat -c %g /var/run/docker.sock", "stat -c %g "+socket)
	dir := t.TempDir()
	var said strings.Builder
	blocks := shellBlock.FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks[1:] {
		cmd := exec.Command("sh", "-euc", local.Replace(block[1]))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST="+shared.Hosts[0].Socket)
		out, err := cmd.CombinedOutput()
		fmt.Fprintf(&said, "%s%s", block[1], out)
		if err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		if strings.Contains(block[1], "--detach") {
			await(t, 2*time.Minute, func() error { return healthy("prewarm") })
		}
	}
	if !strings.HasPrefix(blocks[0][1], "make image") || len(blocks) < 8 {
		t.Errorf("the page has %d blocks, and begins with %s", len(blocks), blocks[0][1])
	}
	for _, want := range []string{"prewarm.yaml is good: 1 host, 0 images, 1 token", "\nlocal  ", "ready: prewarm 0.0.0-test at http://127.0.0.1:8470", `"Status":"healthy"`, `"org.opencontainers.image.version":"0.0.0-test"`} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing said %q", want)
		}
	}
	if left := docker(t, "ps", "--all", "--quiet", "--filter", "name=^prewarm$") + docker(t, "volume", "ls", "--quiet", "--filter", "name=^prewarm-state$"); left != "" {
		t.Errorf("after the removal there is %s", left)
	}
	if t.Failed() {
		t.Log(said.String())
	}
}
