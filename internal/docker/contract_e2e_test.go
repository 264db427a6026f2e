//go:build e2e

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/prewarm/prewarm/internal/docker/dockertest"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/test/fleet"
)

// rig is one real engine with a registry, shared by the tests of this package.
type rig struct {
	fleet                           *fleet.Fleet
	good, second, elsewhere, absent registry.Pin
	mirror                          registry.Repository // has good, and nothing else
}

var shared rig

func TestMain(m *testing.M) { os.Exit(withRig(m)) }

func withRig(m *testing.M) int {
	ctx := context.Background()
	f, err := fleet.Up(ctx, fleet.Options{Log: os.Stderr, Each: []fleet.HostOptions{{TLS: fleet.MutualTLS, SSH: true}, {TLS: fleet.ServerTLS}, {}}})
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
	digest, err := r.fleet.Registry.Push(ctx, "mirror/etl/program:v1", fleet.Image{Version: "v1", Random: layers})
	if err != nil {
		return err
	}
	if digest != string(r.good.Digest()) {
		return fmt.Errorf("the mirror has %s, the origin %s", digest, r.good.Digest())
	}
	if r.mirror, err = registry.ParseRepository(r.fleet.Registry.Addr + "/mirror/etl/program"); err != nil {
		return err
	}
	r.absent = registry.NewPin(r.good.Repository(), registry.Digest("sha256:"+strings.Repeat("0", 64)))
	return nil
}

// pins are the images that an engine of the rig can keep.
func (r *rig) pins() []registry.Pin { return []registry.Pin{r.good, r.second} }

// options reach a rig's host by its socket.
func options(endpoint string) Options {
	return Options{Name: "etl-1", Instance: "contract", Endpoint: endpoint, Logger: slog.New(slog.DiscardHandler)}
}

// newHost makes a Host.
func newHost(t *testing.T, o Options) *Host {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// host makes a Host of the rig's engine, and clears that engine.
func (r *rig) host(t *testing.T, endpoint string) *Host {
	t.Helper()
	h := newHost(t, options(endpoint))
	clearEngine(t, h)
	return h
}

// subject is a cleared engine as the contract wants it. Others reach it by its
// socket, whatever the way that is tested.
func (r *rig) subject(t *testing.T, o Options, socket string) dockertest.Subject {
	t.Helper()
	h, direct := newHost(t, o), newHost(t, options(socket))
	clearEngine(t, direct)
	return dockertest.Subject{
		Engine: h, Good: r.good, Second: r.second, Elsewhere: r.elsewhere, Missing: r.absent,
		Mirror: r.mirror, Others: others{engineAPI(t, direct)},
		Mirrored: func() dockertest.Engine {
			o.Mirror = func(repo registry.Repository) (registry.Repository, bool) {
				return r.mirror, repo == r.good.Repository()
			}
			return newHost(t, o)
		},
	}
}

// others do to an engine what other people do to it.
type others struct{ api *client.Client }

func (o others) Pull(ctx context.Context, pin registry.Pin) error {
	body, err := o.api.ImagePull(ctx, pin.String(), image.PullOptions{})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}

func (o others) Tag(ctx context.Context, pin registry.Pin, tag string) error {
	return o.api.ImageTag(ctx, pin.String(), tagged(pin, tag))
}

func (o others) Untag(ctx context.Context, ref registry.Ref) error {
	return o.RemoveImage(ctx, ref.String())
}

func (o others) Prune(ctx context.Context) error {
	_, err := o.api.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "true")))
	return err
}

func (o others) TagAs(ctx context.Context, pin registry.Pin, ref registry.Ref) error {
	return o.api.ImageTag(ctx, pin.String(), ref.String())
}

func (o others) RemoveImage(ctx context.Context, name string) error {
	_, err := o.api.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
	return err
}

func (o others) PruneAll(ctx context.Context) error {
	_, err := o.api.ImagesPrune(ctx, filters.NewArgs(filters.Arg("dangling", "false")))
	return err
}

func (o others) Create(ctx context.Context, name, image string, command ...string) error {
	_, err := o.api.ContainerCreate(ctx, &container.Config{Image: image, Cmd: command}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	return err
}

func (o others) Run(ctx context.Context, name, image string, command ...string) error {
	if err := o.Create(ctx, name, image, command...); err != nil {
		return err
	}
	return o.api.ContainerStart(ctx, name, container.StartOptions{})
}

func (o others) Discard(ctx context.Context, name string) error {
	return o.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true})
}

func (o others) Names(ctx context.Context) ([]string, error) {
	list, err := o.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, img := range list {
		all = append(all, img.RepoDigests...)
		all = append(all, img.RepoTags...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.HasPrefix(s, "<none>") })
	slices.Sort(all)
	return slices.Compact(all), nil // the containerd store lists digests as tags, too
}

func (o others) MakeVolume(ctx context.Context, name string) error {
	_, err := o.api.VolumeCreate(ctx, volume.CreateOptions{Name: name})
	return err
}

func (o others) Volumes(ctx context.Context) ([]string, error) {
	list, err := o.api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, v := range list.Volumes {
		all = append(all, v.Name)
	}
	slices.Sort(all)
	return all, nil
}

// clearEngine removes all containers, volumes and images, as no Host ever would.
func clearEngine(t *testing.T, h *Host) {
	t.Helper()
	api := engineAPI(t, h)
	containers, err := api.ContainerList(t.Context(), container.ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if err := api.ContainerRemove(t.Context(), c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			t.Fatal(err)
		}
	}
	volumes, err := api.VolumeList(t.Context(), volume.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		if v.Labels[labelMarker] != "" {
			continue
		}
		if err := api.VolumeRemove(t.Context(), v.Name, true); err != nil {
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
		socket := shared.fleet.Hosts[0].Socket
		return shared.subject(t, options(socket), socket)
	})
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
	if _, err := api.ImageRemove(t.Context(), tagged(pin, keepTag(pin)), image.RemoveOptions{}); err != nil {
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
