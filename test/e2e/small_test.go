//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
)

// The configuration of the README: an engine on this machine's socket, and an
// image with nothing but a name and a repository. (The registry's line says
// that the rig's speaks plain HTTP.)
func TestTheSmallestConfiguration(t *testing.T) {
	t.Parallel()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("small"))
	b := newBench(t)
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.configure(fmt.Sprintf(`state: {path: state}
server: {listen: %s}
registries: [{name: %s, plain_http: true}]
hosts:
  - {name: local, endpoint: %s}
images:
  - {name: jobs, repository: %s/%s}
`, b.address, shared.Registry.Addr, shared.Hosts[0].Socket, shared.Registry.Addr, repo(t)))
	b.serve()
	b.mustCLI("warm", "jobs")
	b.awaitCurrent(digest)
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "small\n" {
		t.Errorf("printed %q", out)
	}
}
