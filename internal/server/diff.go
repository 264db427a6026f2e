package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// diffDepth is how many rollouts of an image a beginning of a digest is looked
// up in.
const diffDepth = 1000

func (s *Server) diffImage(ctx context.Context, in *struct {
	TrackName
	A string `query:"a" maxLength:"71" doc:"A digest, or the beginning of a known one. Left out: the current one."`
	B string `query:"b" maxLength:"71" doc:"The other one. Left out: the current one, or where that is a, the newest other: held or on its way, else the one before."`
},
) (*reply[api.Diff], error) {
	c, err := s.candidates(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	a, b, err := c.sides(in.A, in.B)
	if err != nil {
		return nil, err
	}
	var images [2]registry.Image
	group, ctx := errgroup.WithContext(ctx)
	for i, pin := range []registry.Pin{a, b} {
		group.Go(func() (err error) {
			images[i], err = s.opts.Registry.Describe(ctx, pin, c.platform)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &reply[api.Diff]{diffOf(c.image, images[0], images[1])}, nil
}

// candidates are the digests of an image, or of one of its tags, that can be
// compared.
type candidates struct {
	name, image string
	platform    registry.Platform // of the first host that is known; else zero
	repository  registry.Repository
	current     registry.Pin // zero: none
	pins        []registry.Pin
}

// candidates gives the digests of image or image:tag: those on their way, then
// the others, newest first.
func (s *Server) candidates(ctx context.Context, name string) (candidates, error) {
	image, tracks, err := s.tracksOf(name)
	if err != nil {
		return candidates{}, err
	}
	c := candidates{name: name, image: image.Entry.Image, repository: image.Entry.Repository}
	past, _, err := s.opts.Images.History(ctx, c.image, diffDepth)
	if err != nil {
		return candidates{}, err
	}
	if len(tracks) > 0 && tracks[0].Current != nil {
		c.current = tracks[0].Current.Pin
	}
	for _, open := range []bool{true, false} {
		for _, r := range past {
			of := slices.ContainsFunc(tracks, func(t warmer.TrackStatus) bool { return t.Track.ID == r.Track })
			if of && r.Open() == open && !slices.Contains(c.pins, r.Pin) {
				c.pins = append(c.pins, r.Pin)
			}
		}
	}
	c.platform = platformOf(tracks)
	return c, nil
}

// tracksOf finds what image or image:tag means.
func (s *Server) tracksOf(name string) (warmer.ImageStatus, []warmer.TrackStatus, error) {
	image, err := s.opts.Images.Image(name)
	if err == nil {
		return image, image.Tracks, nil
	}
	i := strings.LastIndex(name, ":")
	if i < 0 {
		return warmer.ImageStatus{}, nil, err
	}
	image, unknown := s.opts.Images.Image(name[:i])
	if unknown != nil {
		return warmer.ImageStatus{}, nil, err
	}
	for _, t := range image.Tracks {
		if t.Track.ID.String() == name {
			return image, []warmer.TrackStatus{t}, nil
		}
	}
	return warmer.ImageStatus{}, nil, err
}

// platformOf is the platform of the first host whose engine is known.
func platformOf(tracks []warmer.TrackStatus) registry.Platform {
	for _, t := range tracks {
		all := slices.Concat(t.Coming, t.Held)
		if t.Current != nil {
			all = append(all, *t.Current)
		}
		for _, r := range all {
			for _, c := range r.Hosts {
				if !c.Platform.IsZero() {
					return c.Platform
				}
			}
		}
	}
	return registry.Platform{}
}

// sides finds the two digests that are meant.
func (c candidates) sides(a, b string) (first, second registry.Pin, err error) {
	if first, err = c.side(a); err != nil {
		return first, second, err
	}
	if b != "" || first != c.current {
		second, err = c.side(b)
		return first, second, err
	}
	for _, pin := range c.pins {
		if pin != first {
			return first, pin, nil
		}
	}
	return first, second, problem.New(problem.RolloutNotFound,
		fmt.Sprintf("compare digests of %s: it has had only one, %s", c.name, first.Digest().Short()), "name two digests of its repository")
}

// side finds a digest by its beginning, or the current one by nothing.
func (c candidates) side(digest string) (registry.Pin, error) {
	hex := strings.TrimPrefix(digest, "sha256:")
	var found []registry.Pin
	switch {
	case hex != "":
		for _, pin := range c.pins {
			if strings.HasPrefix(pin.Digest().Hex(), hex) {
				found = append(found, pin)
			}
		}
	case c.current != registry.Pin{}:
		return c.current, nil
	default:
		return registry.Pin{}, problem.New(problem.NoCurrent, "compare digests of "+c.name+": nothing of it is current yet", "name two digests")
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if whole, err := registry.ParseDigest("sha256:" + hex); err == nil {
		return registry.NewPin(c.repository, whole), nil // the registry may know it
	}
	if len(found) > 1 {
		return registry.Pin{}, problem.New(problem.InvalidRequest, fmt.Sprintf("compare digests of %s: more than one begins with %s", c.name, digest), "write more of it")
	}
	return registry.Pin{}, problem.New(problem.RolloutNotFound,
		fmt.Sprintf("compare digests of %s: none that it has had begins with %s", c.name, digest), "prewarm history "+c.image+" lists them; or write the whole digest")
}
