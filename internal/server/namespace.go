package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// Among is exported because huma can't fill in embedded structs that aren't.
type Among struct {
	Namespace string `query:"namespace" maxLength:"63" doc:"Of which namespace; another than the caller's own is for the scope admin."`
}

// among is the namespace whose runs or scopes a caller lists; empty: all, which
// the scope admin sees.
func (in Among) among(ctx context.Context) (string, error) {
	if in.Namespace == "" && callerOf(ctx).May(access.Admin) {
		return "", nil
	}
	return in.within(ctx)
}

// within is the namespace in which a name means something.
func (in Among) within(ctx context.Context) (string, error) {
	c := callerOf(ctx)
	switch {
	case in.Namespace == "":
		return c.Namespace, nil
	case !c.Sees(in.Namespace):
		return "", forbidden(c, "look into namespace "+in.Namespace, fmt.Sprintf("its namespace is %s, and another one takes the scope %s", c.Namespace, access.Admin))
	}
	return in.Namespace, nil
}

// sees tells a caller that a run of another namespace is not there, before
// anything is asked of the run.
func (s *Server) sees(ctx context.Context, id string) error {
	c := callerOf(ctx)
	if c.May(access.Admin) {
		return nil
	}
	namespace, err := s.opts.Runs.Namespace(ctx, id)
	if err == nil && !c.Sees(namespace) {
		return problem.New(problem.RunNotFound, fmt.Sprintf("no run has the id %q", id), "prewarm ps --all lists the newest ones")
	}
	return err
}

// limited puts into a submit what the caller's token says of all of its runs.
func limited(ctx context.Context, r *api.SubmitRun) error {
	for name, value := range callerOf(ctx).Meta {
		said, ok := r.Meta[name]
		if ok && said != value {
			return problem.New(problem.NotAllowed, fmt.Sprintf("the caller's token sets meta %s to %q, and the submit to another value", name, value), "leave it out")
		}
		if r.Meta == nil {
			r.Meta = make(map[string]string)
		}
		r.Meta[name] = value
	}
	return nil
}

// within puts a submit where its caller belongs, under the limits of its token.
func within(ctx context.Context, ask *runner.Ask) {
	c := callerOf(ctx)
	ask.Terms.Namespace, ask.Images = c.Namespace, c.Images
	if c.Policy != nil {
		policy := runner.Policy(*c.Policy)
		ask.Policy = &policy
	}
}

// What is on the hosts is everybody's to see, but not whose runs and scopes want
// it: these have names of other namespaces.

func hides(ctx context.Context) bool { return !callerOf(ctx).May(access.Admin) }

func hidingHost(ctx context.Context, h api.Host) api.Host {
	if hides(ctx) {
		h.Unclaimed = []string{}
	}
	return h
}

func hidingStock(ctx context.Context, s api.Stock) api.Stock {
	for i := range s.Images {
		hideImage(ctx, &s.Images[i])
	}
	return s
}

func hidingExplanation(ctx context.Context, e api.Explanation) api.Explanation {
	if hides(ctx) {
		hideStory(e)
	}
	for i := range e.Images {
		hideImage(ctx, &e.Images[i])
	}
	return e
}

// hideStory takes the names out of what happened to images: those of containers of
// ours, and of whoever came to want what a pass was to remove.
func hideStory(e api.Explanation) {
	for n := range e.Log {
		what := &e.Log[n].What
		for _, i := range e.Images {
			for _, c := range i.Containers {
				if c.Ours {
					*what = strings.ReplaceAll(*what, c.Name, "of a run")
				}
			}
		}
		for _, outcome := range []warmer.RemovalOutcome{warmer.WasClaimed, warmer.WasInUse} {
			if pass, _, ok := strings.Cut(*what, "): "+string(outcome)+", "); ok && strings.HasPrefix(pass, "prune pass (") {
				*what = pass + "): " + string(outcome)
			}
		}
	}
}

func hideImage(ctx context.Context, i *api.StockImage) {
	if !hides(ctx) {
		return
	}
	for n, c := range i.Containers {
		if c.Ours {
			i.Containers[n].Name = ""
		}
	}
	switch i.Verdict.Rule {
	case "leased":
		i.Verdict.Why = "leased by a run"
	case "scope":
		i.Verdict.Why = "held by a pin scope"
	case "in_use":
		i.Verdict.Why = "in use by a container"
	}
}

func hidingPasses(ctx context.Context, all api.Passes) api.Passes {
	if !hides(ctx) {
		return all
	}
	for _, p := range all.Passes {
		for n, r := range p.Removals {
			switch warmer.RemovalOutcome(r.Outcome) {
			case warmer.WasClaimed:
				p.Removals[n].Detail = "somebody came to want it"
			case warmer.WasInUse:
				p.Removals[n].Detail = "a container is made of it"
			}
		}
	}
	return all
}
