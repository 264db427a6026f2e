package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

// registryCodes are what asking a registry can end with.
var registryCodes = []problem.Code{
	problem.TagNotFound, problem.RegistryAuth, problem.RegistryLimited, problem.RegistryUnavailable, problem.RegistryAnswer,
}

func (s *Server) imageRoutes() {
	handle(s, op(http.MethodGet, "/v1/images", "list-images", "List the images with their digests on each host"), s.listImages)
	handle(s, op(http.MethodGet, "/v1/images/{name}", "get-image", "Show one image"), s.getImage, problem.ImageNotManaged)
	handle(s, op(http.MethodPost, "/v1/images/{name}/check", "check-image", "Look at the image's tags now"), s.checkImage,
		append(registryCodes, problem.ImageNotManaged)...)
	warm := op(http.MethodPost, "/v1/images/{name}/warm", "warm-image", "Warm the newest digest now, whatever waits for a backoff; does not wait for the end")
	warm.DefaultStatus = http.StatusAccepted
	handle(s, warm, s.warmImage, problem.ImageNotManaged, problem.HostNotManaged, problem.HostNotSelected, problem.NoCurrent)
	handle(s, op(http.MethodGet, "/v1/images/{name}/history", "image-history", "List the image's digests and what people did to it, newest first"), s.imageHistory,
		problem.ImageNotManaged)
	handle(s, op(http.MethodGet, "/v1/images/{name}/diff", "diff-image", "Compare two digests of the image: layers, sizes, configuration"), s.diffImage,
		append(registryCodes, problem.ImageNotManaged, problem.NoCurrent, problem.RolloutNotFound, problem.PlatformMissing)...)
}

func (s *Server) listImages(context.Context, *struct{}) (*reply[api.Images], error) {
	answer := api.Images{Images: []api.Image{}}
	for _, i := range s.opts.Images.Images() {
		answer.Images = append(answer.Images, imageOf(i))
	}
	return &reply[api.Images]{answer}, nil
}

func (s *Server) getImage(_ context.Context, in *ImageName) (*reply[api.Image], error) {
	image, err := s.opts.Images.Image(in.Name)
	if err != nil {
		return nil, err
	}
	return &reply[api.Image]{imageOf(image)}, nil
}

func (s *Server) checkImage(ctx context.Context, in *ImageName) (*reply[api.CheckResult], error) {
	found, err := s.opts.Images.Check(ctx, in.Name)
	if err != nil {
		return nil, lookError(in.Name, found, err)
	}
	answer, images := api.CheckResult{Image: in.Name, Tracks: []api.Checked{}}, s.opts.Images.Images()
	for _, c := range found {
		answer.Tracks = append(answer.Tracks, checkedOf(c, trackIn(images, c.Track)))
	}
	return &reply[api.CheckResult]{answer}, nil
}

func checkedOf(c warmer.Checked, t warmer.TrackStatus) api.Checked {
	checked := api.Checked{Tag: c.Track.Tag, Digest: string(c.Pin.Digest()), Pin: c.Pin.String(), New: c.New}
	for _, r := range t.Held {
		if r.Pin == c.Pin {
			checked.Holds = holdsOf(r)
		}
	}
	return checked
}

// lookError makes one problem of the errors of an image's tags: that of the
// first, which says what to do, with how many there are.
func lookError(image string, found []warmer.Checked, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) == 1 {
		return err
	}
	errs := joined.Unwrap()
	texts := make([]string, len(errs))
	first := *problem.From(errs[0])
	for i, e := range errs {
		texts[i] = e.Error()
		first.RetryAfter = max(first.RetryAfter, problem.From(e).RetryAfter)
	}
	first.Message, first.Err = fmt.Sprintf("%d of %d looks at %s failed: %s", len(errs), len(errs)+len(found), image, strings.Join(texts, "; ")), nil
	return &first
}

func (s *Server) warmImage(_ context.Context, in *struct {
	ImageName
	Body *api.WarmRequest // nil: no body, which asks for all hosts
},
) (*reply[api.WarmResult], error) {
	var hosts []string
	if in.Body != nil {
		hosts = in.Body.Hosts
	}
	pin, err := s.opts.Images.Rewarm(in.Name, hosts)
	if err != nil {
		return nil, err
	}
	return &reply[api.WarmResult]{api.WarmResult{Image: in.Name, Digest: string(pin.Digest())}}, nil
}

func (s *Server) imageHistory(ctx context.Context, in *struct {
	ImageName
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"How many digests, and how many acts, at most."`
},
) (*reply[api.History], error) {
	rollouts, acts, err := s.opts.Images.History(ctx, in.Name, in.Limit)
	if err != nil {
		return nil, err
	}
	answer := api.History{Image: in.Name, Rollouts: []api.Rollout{}, Acts: []api.Act{}}
	for _, r := range rollouts {
		answer.Rollouts = append(answer.Rollouts, rolloutOf(r))
	}
	for _, a := range acts {
		answer.Acts = append(answer.Acts, api.Act{At: a.At, Verb: string(a.Verb), By: a.Who, Tag: a.Track.Tag, Digest: a.Digest, Detail: a.Detail})
	}
	return &reply[api.History]{answer}, nil
}
