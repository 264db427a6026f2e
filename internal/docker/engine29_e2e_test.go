//go:build e2e && engine29

package docker

import (
	"os"
	"testing"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/test/fleet"
)

// TestEngine29Contract: the same promises on a current engine, with either image
// store.
func TestEngine29Contract(t *testing.T) {
	f, err := fleet.Up(t.Context(), fleet.Options{Log: os.Stderr, Each: []fleet.HostOptions{
		{Engine: fleet.Engine29}, {Engine: fleet.Engine29Classic},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Down(); err != nil {
			t.Error(err)
		}
	})
	before := shared
	t.Cleanup(func() { shared = before })
	shared = rig{fleet: f}
	if err := shared.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, store := range []string{containerd, classic} {
		t.Run(store, func(t *testing.T) {
			o := options(f.Hosts[i].Socket)
			engine, err := newHost(t, o).Probe(t.Context())
			if err != nil || engine.ImageStore != store {
				t.Fatalf("Probe = %+v, %v; want store %s", engine, err, store)
			}
			t.Logf("%+v", engine)
			dockertest.Contract(t, func(t *testing.T) dockertest.Subject { return shared.subject(t, o, f.Hosts[i].Socket) })
			upstreamIsSpared(t, o, store)
			stockIsTrue(t, o, store)
		})
	}
}
