//go:build e2e

package docker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/test/fleet"
)

// rig is one real engine with a registry, shared by the tests of this package.
type rig struct {
	fleet                           *fleet.Fleet
	good, second, elsewhere, absent registry.Pin
}

var shared rig

func TestMain(m *testing.M) { os.Exit(withRig(m)) }

func withRig(m *testing.M) int {
	ctx := context.Background()
	f, err := fleet.Up(ctx, fleet.Options{Hosts: 1, Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := f.Down(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	shared.fleet = f
	if err := shared.push(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// push fills the registry. The second image shares a layer with the first.
func (r *rig) push(ctx context.Context) (err error) {
	layers := []int64{3 << 20, 5 << 20}
	for _, p := range []struct {
		pin *registry.Pin
		ref string
		img fleet.Image
	}{
		{&r.good, "etl/program:v1", fleet.Image{Version: "v1", Random: layers}},
		{&r.second, "etl/program:v2", fleet.Image{Version: "v2", Random: layers[:1]}},
		{&r.elsewhere, "etl/elsewhere:v1", fleet.Image{Version: "v1", Platforms: []string{"linux/s390x"}}},
	} {
		digest, err := r.fleet.Registry.Push(ctx, p.ref, p.img)
		if err != nil {
			return err
		}
		repo, _, _ := strings.Cut(p.ref, ":")
		if *p.pin, err = registry.ParsePin(r.fleet.Registry.Addr + "/" + repo + "@" + digest); err != nil {
			return err
		}
	}
	r.absent = registry.NewPin(r.good.Repository(), registry.Digest("sha256:"+strings.Repeat("0", 64)))
	return nil
}

// host makes a Host of the rig's engine, and clears that engine.
func (r *rig) host(t *testing.T, endpoint string) *Host {
	t.Helper()
	h, err := New(Options{
		Name: "etl-1", Instance: "contract", Endpoint: endpoint, Insecure: true,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	clearEngine(t, h)
	return h
}

// clearEngine removes all containers and images, as no Host ever would.
func clearEngine(t *testing.T, h *Host) {
	t.Helper()
	api := engineAPI(t, h)
	containers, err := api.ContainerList(t.Context(), container.ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if err := api.ContainerRemove(t.Context(), c.ID, container.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	images, err := api.ImageList(t.Context(), image.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		if _, err := api.ImageRemove(t.Context(), i.ID, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEngineContract(t *testing.T) {
	dockertest.Contract(t, func(t *testing.T) dockertest.Subject {
		return dockertest.Subject{
			Engine: shared.host(t, shared.fleet.Hosts[0].Socket),
			Good:   shared.good, Second: shared.second, Elsewhere: shared.elsewhere, Missing: shared.absent,
		}
	})
}

// TestKeepTagHolds does to an engine what other people do to it.
func TestKeepTagHolds(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	api := engineAPI(t, h)
	pin, latest := shared.good, shared.good.Repository().String()+":latest"
	kept, err := h.Keep(t.Context(), pin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ImageTag(t.Context(), pin.String(), latest); err != nil {
		t.Fatal(err)
	}
	stillKept := func(after string) {
		t.Helper()
		got, ok, err := h.Inspect(t.Context(), pin)
		if err != nil || !ok || got != kept {
			t.Errorf("after %s: Inspect = %+v, %v, %v; want %+v", after, got, ok, err, kept)
		}
	}
	if _, err := api.ImageRemove(t.Context(), latest, image.RemoveOptions{PruneChildren: true}); err != nil {
		t.Fatal(err)
	}
	stillKept("docker rmi repo:latest")
	if _, err := api.ImagesPrune(t.Context(), filters.NewArgs(filters.Arg("dangling", "true"))); err != nil {
		t.Fatal(err)
	}
	stillKept("docker image prune")
}

// TestKeepRepairsTheTag: a removed keep-tag is set again without a pull.
func TestKeepRepairsTheTag(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	api, pin := engineAPI(t, h), shared.good
	if _, err := h.Keep(t.Context(), pin, nil); err != nil {
		t.Fatal(err)
	}
	// Another tag of the repository, or the digest would go with the last one.
	if err := api.ImageTag(t.Context(), pin.String(), pin.Repository().String()+":other"); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ImageRemove(t.Context(), keepTag(pin), image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := h.Inspect(t.Context(), pin); err != nil || !ok || got.Kept {
		t.Fatalf("Inspect = %+v, %v, %v; want it there and not kept", got, ok, err)
	}
	digests := shared.fleet.Registry
	if err := digests.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := digests.Start(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if got, err := h.Keep(t.Context(), pin, nil); err != nil || !got.Kept {
		t.Errorf("Keep without a registry = %+v, %v; want it kept", got, err)
	}
	_, err := h.Keep(t.Context(), shared.second, nil)
	wantCode(t, "Keep of a cold image without a registry", err, "registry_unavailable")
}
