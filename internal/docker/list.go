package docker

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/versions"
	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// listLimit is how long an engine may take for a list. The containerd store looks
// up the image of each container (192 ms for a hundred), and a list of images
// with what they share walks all their layers.
const listLimit = 2 * time.Minute

// listers is how many images are inspected at once. An engine answers each in
// about a millisecond; more at once would only be felt by those who start
// containers.
const listers = 4

// List lists every image of the engine, with the containers made of it. What
// vanishes while it is listed is left out. Images come in the order of their ids,
// containers in that of their names.
//
// It ends with problem.HostUnreachable or EngineAPI.
func (h *Host) List(ctx context.Context) ([]warmer.Listed, error) {
	s, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	known, err := h.factsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	images, err := h.images(ctx)
	if err != nil {
		return nil, err
	}
	// After the images: a container that was made in between is seen.
	containers, err := h.containers(ctx)
	if err != nil {
		return nil, err
	}
	l := &lister{host: h, session: s, facts: known, users: containers}
	return l.all(ctx, images)
}

// images is the engine's own list, with what images share where it can tell.
func (h *Host) images(ctx context.Context) (list []image.Summary, err error) {
	err = h.call(ctx, listLimit, "list images", func(ctx context.Context, s *session) (err error) {
		list, err = s.api.ImageList(ctx, image.ListOptions{SharedSize: tellsShared(s)})
		return err
	})
	slices.SortFunc(list, func(a, b image.Summary) int { return strings.Compare(a.ID, b.ID) })
	return list, err
}

// tellsShared tells whether the engine can say what an image shares.
func tellsShared(s *session) bool {
	return versions.GreaterThanOrEqualTo(s.api.ClientVersion(), "1.42")
}

// containers are all containers, by the image that they are made of.
func (h *Host) containers(ctx context.Context) (map[string][]container.Summary, error) {
	var list []container.Summary
	err := h.call(ctx, listLimit, "list containers", func(ctx context.Context, s *session) (err error) {
		list, err = s.api.ContainerList(ctx, container.ListOptions{All: true})
		return err
	})
	byImage := map[string][]container.Summary{}
	for _, c := range list {
		byImage[c.ImageID] = append(byImage[c.ImageID], c)
	}
	return byImage, err
}

// lister makes a list of images.
type lister struct {
	host    *Host
	session *session
	facts   facts
	users   map[string][]container.Summary
}

// all looks at each image, some at once, and ends with the first error.
func (l *lister) all(ctx context.Context, images []image.Summary) ([]warmer.Listed, error) {
	looks, looking := errgroup.WithContext(ctx)
	looks.SetLimit(listers)
	found := make([]*warmer.Listed, len(images))
	for i, img := range images {
		looks.Go(func() (err error) {
			found[i], err = l.one(looking, img)
			return err
		})
	}
	err := looks.Wait()
	l.forgetOthers(images)
	if err != nil {
		return nil, err
	}
	var all []warmer.Listed
	for _, one := range found {
		if one != nil {
			all = append(all, *one)
		}
	}
	return all, nil
}

// forgetOthers drops what is remembered of images and containers that are gone.
func (l *lister) forgetOthers(images []image.Summary) {
	listed, users := map[string]bool{}, map[string]bool{}
	for _, img := range images {
		listed[img.ID] = true
		for _, c := range l.users[img.ID] {
			users[c.ID] = true
		}
	}
	l.session.stock.keep(listed, users)
}

// one tells of an image; nothing where it has vanished.
func (l *lister) one(ctx context.Context, img image.Summary) (*warmer.Listed, error) {
	m, ok := l.session.stock.image(img.ID, img.Size)
	if !ok {
		var err error
		if m, err = l.make(ctx, img); err != nil {
			return nil, unlessGone(err)
		}
	}
	one := named(img)
	one.Bytes, one.Layers, one.Exact, one.Unique = m.bytes, slices.Clone(m.layers), m.exact, -1
	if tellsShared(l.session) && img.SharedSize >= 0 {
		one.Unique = max(0, img.Size-img.SharedSize)
	}
	for _, c := range l.users[img.ID] {
		user, err := l.user(ctx, c)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		one.Containers = append(one.Containers, user)
	}
	slices.SortFunc(one.Containers, func(a, b warmer.ContainerOf) int { return strings.Compare(a.Name, b.Name) })
	return &one, nil
}

// unlessGone takes an error of what is not there any more for none.
func unlessGone(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// make asks for an image's layers. One that the engine can't tell of is listed
// all the same, as if it were one layer of its own: a broken image must not hide
// the others, and it says that its sizes are a guess.
func (l *lister) make(ctx context.Context, img image.Summary) (made, error) {
	seen, err := l.host.imageInspect(ctx, img.ID)
	switch {
	case err == nil:
	case errdefs.IsNotFound(err), problem.CodeOf(err) != problem.EngineAPI:
		return made{}, err
	default:
		l.host.log.Warn("the engine lists an image that it can't inspect", "image", img.ID, "error", err)
		return asOneLayer(img, img.Size), nil
	}
	history, err := l.history(ctx, img.ID)
	if err != nil && problem.CodeOf(err) != problem.EngineAPI {
		return made{}, err
	}
	m := made{size: img.Size, bytes: l.bytes(img, seen)}
	m.layers, m.exact = layersOf(seen.RootFS.Layers, history, m.bytes)
	switch {
	case len(m.layers) == 0 && m.bytes > 0:
		m = asOneLayer(img, m.bytes)
	case l.facts.store == containerd:
		m.exact = false // what is packed is shared by other bounds than what is unpacked
	}
	if err == nil {
		l.session.stock.learn(img.ID, m)
	}
	return m, nil
}

// bytes is what a removal frees of an image that shares nothing: in the
// containerd store, where inspect tells the packed size alone, what the list
// says, which is packed and unpacked together.
func (l *lister) bytes(img image.Summary, seen image.InspectResponse) int64 {
	if l.facts.store == classic {
		return seen.Size
	}
	return max(img.Size, seen.Size)
}

// asOneLayer is an image of which nothing but its size is known.
func asOneLayer(img image.Summary, bytes int64) made {
	return made{size: img.Size, bytes: bytes, layers: []prune.Layer{{ID: img.ID, Bytes: bytes}}}
}

// history is how large each step of an image is. An engine does not tell it of an
// image that it holds for another platform.
func (l *lister) history(ctx context.Context, id string) (steps []image.HistoryResponseItem, err error) {
	err = l.host.call(ctx, inspectLimit, "read the history of image "+id, func(ctx context.Context, s *session) (err error) {
		steps, err = s.api.ImageHistory(ctx, id)
		return err
	})
	return steps, err
}

// named is an image with its names as registry writes them, and with ours told
// from the others'.
func named(img image.Summary) warmer.Listed {
	one := warmer.Listed{ID: img.ID}
	if img.Created > 0 {
		one.Built = time.Unix(img.Created, 0).UTC()
	}
	for _, name := range img.RepoTags {
		if strings.Contains(name, "@") || strings.Contains(name, noName) {
			continue // the containerd store lists digests among the tags
		}
		if pin, ok := keeps(name); ok {
			one.Pins = append(one.Pins, pin)
		} else {
			one.Tags = append(one.Tags, canonical(name))
		}
	}
	for _, name := range img.RepoDigests {
		if !strings.Contains(name, noName) {
			one.Digests = append(one.Digests, canonical(name))
		}
	}
	slices.SortFunc(one.Pins, func(a, b registry.Pin) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(one.Tags)
	slices.Sort(one.Digests)
	return one
}

// noName stands where an engine has to write a name and there is none.
const noName = "<none>"

// keeps gives the pin that a tag keeps, where it is a keep-tag.
func keeps(name string) (registry.Pin, bool) {
	ref, err := registry.ParseRef(name)
	if err != nil {
		return registry.Pin{}, false
	}
	hex, ours := strings.CutPrefix(ref.Tag(), ownTags)
	digest, err := registry.ParseDigest("sha256:" + hex)
	return registry.NewPin(ref.Repository(), digest), ours && err == nil
}

// canonical writes a name as registry does; one that registry does not read
// stays.
func canonical(name string) string {
	if pin, err := registry.ParsePin(name); err == nil {
		return pin.String()
	}
	if ref, err := registry.ParseRef(name); err == nil {
		return ref.String()
	}
	return name
}
