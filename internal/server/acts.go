package server

import (
	"context"
	"net/http"
	"slices"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

func (s *Server) actRoutes() {
	handle(s, op(http.MethodPost, "/v1/images/{name}/approve", "approve-digest", "Let a digest pass that waits for an approval or its cooldown, or was rejected"), s.approve,
		problem.ImageNotManaged, problem.RolloutNotFound, problem.NotVerified)
	handle(s, op(http.MethodPost, "/v1/images/{name}/rollback", "roll-back-image", "Make an earlier digest current again, at once where it is still warm"), s.rollback,
		problem.ImageNotManaged, problem.RolloutNotFound, problem.NoCurrent)
	handle(s, op(http.MethodPost, "/v1/images/{name}/hold", "hold-image", "Stop the image's promotions; warming goes on"), s.hold(s.holds), problem.ImageNotManaged)
	handle(s, op(http.MethodPost, "/v1/images/{name}/unhold", "unhold-image", "Let the image's promotions go on"), s.hold(s.unholds), problem.ImageNotManaged)
}

func (s *Server) approve(ctx context.Context, in *struct {
	TrackName
	Body api.ApproveRequest
},
) (*reply[api.Decision], error) {
	r, err := s.opts.Images.Approve(ctx, in.Name, in.Body.Digest, by(ctx, in.Body.By))
	if err != nil {
		return nil, err
	}
	return &reply[api.Decision]{s.decision(r)}, nil
}

func (s *Server) rollback(ctx context.Context, in *struct {
	TrackName
	Body *api.RollbackRequest // nil: no body, which asks for the digest before
},
) (*reply[api.Decision], error) {
	var asked api.RollbackRequest
	if in.Body != nil {
		asked = *in.Body
	}
	// A digest that goes live between the two is not named as the one that was
	// left; it is rejected all the same, and the history tells.
	before := s.opts.Images.Images()
	r, err := s.opts.Images.Rollback(ctx, in.Name, asked.Digest, by(ctx, asked.By))
	if err != nil {
		return nil, err
	}
	answer := s.decision(r)
	if current := trackIn(before, r.Track).Current; current != nil {
		answer.Left = string(current.Pin.Digest())
	}
	return &reply[api.Decision]{answer}, nil
}

// decision tells what a rollout is now, with its hosts.
func (s *Server) decision(r warmer.Rollout) api.Decision {
	answer := api.Decision{Image: r.Track.Image, Rollout: rolloutOf(r)}
	t := trackIn(s.opts.Images.Images(), r.Track)
	live := slices.Concat(t.Held, t.Coming)
	if t.Current != nil {
		live = append(live, *t.Current)
	}
	for _, now := range live {
		if now.ID == r.ID {
			answer.Rollout = statusOfRollout(now)
		}
	}
	return answer
}

// trackIn finds a track; the zero one where it is gone.
func trackIn(images []warmer.ImageStatus, id warmer.TrackID) warmer.TrackStatus {
	for _, i := range images {
		for _, t := range i.Tracks {
			if t.Track.ID == id {
				return t
			}
		}
	}
	return warmer.TrackStatus{}
}

func (s *Server) holds(ctx context.Context, image, who string) error {
	return s.opts.Images.Hold(ctx, image, who)
}

func (s *Server) unholds(ctx context.Context, image, who string) error {
	return s.opts.Images.Unhold(ctx, image, who)
}

// HoldInput is exported for huma.
type HoldInput struct {
	ImageName
	Body *api.HoldRequest // nil: no body, nobody says who they are
}

// hold makes the handler of a hold or of its end.
func (s *Server) hold(do func(ctx context.Context, image, who string) error) func(context.Context, *HoldInput) (*reply[api.Image], error) {
	return func(ctx context.Context, in *HoldInput) (*reply[api.Image], error) {
		var who string
		if in.Body != nil {
			who = in.Body.By
		}
		if err := do(ctx, in.Name, by(ctx, who)); err != nil {
			return nil, err
		}
		return s.getImage(ctx, &in.ImageName)
	}
}
