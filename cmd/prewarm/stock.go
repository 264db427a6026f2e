package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// fleetStock is what is on hosts.
type fleetStock struct {
	Hosts  []api.Stock `json:"hosts"`
	Failed []unlisted  `json:"failed,omitempty"`
}

// unlisted is a host that could not be asked what it has.
type unlisted struct {
	Host   string `json:"host"`
	Reason string `json:"reason"`
	err    error
}

// listings is how many hosts are asked at once: it is long work for an engine,
// and none for us.
const listings = 16

// stocks asks the named hosts what they have, or all where none is named. A host
// that can't tell costs nobody the answers of the others.
func (c *cli) stocks(ctx context.Context, named []string) (fleetStock, error) {
	found := fleetStock{Hosts: []api.Stock{}}
	names := appendNew(nil, named...)
	if len(names) == 0 {
		all, err := c.client().Hosts(ctx)
		if err != nil {
			return found, err
		}
		for _, h := range all.Hosts {
			names = append(names, h.Name)
		}
	}
	answers, errs := make([]api.Stock, len(names)), make([]error, len(names))
	var asking errgroup.Group
	asking.SetLimit(listings)
	for i, name := range names {
		asking.Go(func() error {
			answers[i], errs[i] = c.client().Stock(ctx, name)
			return nil
		})
	}
	_ = asking.Wait() // each has its own error
	for i, err := range errs {
		switch problem.CodeOf(err) {
		case "":
			found.Hosts = append(found.Hosts, answers[i])
		case problem.ServerUnreachable, problem.ServerLost:
			return found, err
		default:
			found.Failed = append(found.Failed, unlisted{names[i], err.Error(), err})
		}
	}
	return found, nil
}

// failure is the error of the hosts that could not tell; nil where all could.
func (s fleetStock) failure() error {
	if len(s.Failed) == 0 {
		return nil
	}
	if len(s.Failed) == 1 {
		return s.Failed[0].err
	}
	first := problem.From(s.Failed[0].err)
	reasons := make([]string, len(s.Failed))
	for i, f := range s.Failed {
		reasons[i] = f.Reason
	}
	return problem.New(first.Code, fmt.Sprintf("%d of %s could not be asked: %s",
		len(s.Failed), count(len(s.Failed)+len(s.Hosts), "host"), strings.Join(reasons, "; ")), first.Mend)
}

// imageNames are what people know an image by: the digests that are kept, its
// tags, and other digests of repositories of which it has no tag.
func imageNames(i api.StockImage) []string {
	names := slices.Concat(i.Pins, i.Tags)
	for _, digest := range i.Digests {
		repository, _, _ := strings.Cut(digest, "@")
		if !slices.ContainsFunc(i.Tags, func(tag string) bool { return strings.HasPrefix(tag, repository+":") }) {
			names = appendNew(names, digest)
		}
	}
	return names
}

// shortNames are names for a table.
func shortNames(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = plain(shortName(name))
	}
	return cmp.Or(strings.Join(texts, ", "), "(none)")
}

// shortName is a name with no more of its digest than is needed to find it.
func shortName(name string) string {
	repository, digest, ok := strings.Cut(name, "@")
	if !ok {
		return name
	}
	return repository + "@" + shortDigest(digest)
}

// guessed is a size that may be an estimate.
func guessed(bytes int64, exact bool) string {
	if exact {
		return size(bytes)
	}
	return "~" + size(bytes)
}

// users names at most some of the containers that are made of an image.
func users(containers []api.StockContainer, most int) string {
	var names []string
	for i, c := range containers {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(containers)-most))
			break
		}
		name := plain(cmp.Or(c.Name, c.ID[:min(len(c.ID), 12)]))
		if !c.Running {
			name += " (not running)"
		}
		names = append(names, name)
	}
	return cmp.Or(strings.Join(names, ", "), "-")
}

// lastUsed is when an image was used last.
func lastUsed(i api.StockImage) string {
	if i.UsedAt == nil {
		return "unknown"
	}
	return stamp(i.UsedAt)
}

// fate is what the next routine pass does with an image.
func fate(v api.PruneVerdict) string {
	why := plain(cmp.Or(v.Why, v.Rule))
	if v.Goes {
		return "goes: " + why
	}
	return "stays: " + why
}
