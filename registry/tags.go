package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/prewarm/prewarm/internal/problem"
)

// Limits of a list of tags. Registries give 1,000 a page, or all at once; the
// largest repositories that we know have about 160 pages.
const (
	maxTags      = 1_000_000
	maxTagsPages = 200
	tagsPerPage  = 1000
)

// Tags lists the tags of a repository, sorted and each once. It costs one
// request for each thousand. Names that can't be a tag are left out. An empty
// list means that the registry says so now: never take it for a deletion.
//
// The error is a *problem.Error, or wraps the end of ctx. A list that is longer
// than 1,000,000 tags or 200 pages is one: half a list would be a lie.
func (c *Client) Tags(ctx context.Context, repo Repository) ([]string, error) {
	if repo.IsZero() {
		return nil, problem.New(problem.InvalidRequest, "list tags: no repository given", "")
	}
	var tags []string
	err := c.call(ctx, repo, "list the tags of "+repo.String(), func(ctx context.Context, s *session) (err error) {
		tags, err = s.tags(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tags, nil
}

// errTags is a list that makes no sense.
var errTags = errors.New("what it serves as a list of tags is not one")

func (s *session) tags(ctx context.Context) ([]string, error) {
	tags := []string{}
	next := &url.URL{
		Scheme: s.endpoint.scheme(), Host: s.endpoint.host,
		Path:     "/v2/" + s.target.RepositoryStr() + "/tags/list",
		RawQuery: fmt.Sprintf("n=%d", tagsPerPage), // ECR takes no more
	}
	var before []string
	for range maxTagsPages {
		page, link, err := s.tagsPage(ctx, next)
		if err != nil {
			return nil, err
		}
		if len(tags)+len(page) > maxTags {
			return nil, fmt.Errorf("it lists more than %d tags", maxTags)
		}
		for _, tag := range page {
			if tag != "" && reference.TagRegexp.FindString(tag) == tag {
				tags = append(tags, tag)
			}
		}
		switch {
		case link != "":
			if next, err = follow(next, link); err != nil {
				return nil, err
			}
		case len(page) == tagsPerPage && !slices.Equal(page, before):
			// A full page may be the last, or a registry's that links to none.
			next = after(next, page[len(page)-1])
		default:
			slices.Sort(tags)
			return slices.Compact(tags), nil
		}
		before = page
	}
	return nil, fmt.Errorf("its list of tags has more than %d pages", maxTagsPages)
}

// after is the address of the page that starts behind a tag.
func after(at *url.URL, tag string) *url.URL {
	next := *at
	next.RawQuery = fmt.Sprintf("n=%d&last=%s", tagsPerPage, url.QueryEscape(tag))
	return &next
}

func (s *session) tagsPage(ctx context.Context, at *url.URL) (tags []string, link string, err error) {
	client := http.Client{Transport: s.wire, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if s.endpoint.owns(req.URL) {
			return nil
		}
		return errors.New("it redirects its list of tags to another host")
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, "", err
	}
	var page struct {
		Name string    `json:"name"`
		Tags *[]string `json:"tags"`
	}
	switch err := json.NewDecoder(resp.Body).Decode(&page); {
	case err == io.EOF: // a body without a byte in it, and no connection that was cut
		return nil, "", errTags
	case err != nil:
		return nil, "", fmt.Errorf("%w: %w", errTags, err)
	}
	switch {
	case page.Tags != nil:
		tags = *page.Tags
	case page.Name == "": // with a name, null is how a registry says "none"
		return nil, "", errTags
	}
	return tags, resp.Header.Get("Link"), nil
}

// follow reads the address of the next page: </v2/…>; rel="next". It is taken
// from this registry alone, and by the scheme that we speak, since a registry
// behind a proxy may not know its own.
func follow(from *url.URL, link string) (*url.URL, error) {
	address, _, closed := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !closed || !strings.HasPrefix(link, "<") {
		return nil, fmt.Errorf("%w: its link to the next page is malformed", errTags)
	}
	to, err := from.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: its link to the next page is malformed", errTags)
	}
	if !strings.EqualFold(to.Host, from.Host) {
		return nil, errors.New("the link to the next page of its tags leads to another host")
	}
	to.Scheme = from.Scheme
	return to, nil
}
