package webhook

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prewarm/prewarm/registry"
)

// claim is an image as a body names it, before it is known whether there can be
// such an image.
type claim struct {
	// at says where in the body it stands: events[2].target.
	at string
	// ref is registry, path, tag and digest in one, as far as they are there. What
	// is in the fields below counts for more.
	ref string
	// registry is empty where the sender names none.
	registry, path string
	below          bool
	// tag may be a digest: some senders have one field for both.
	tag, digest string
	id          string
	// lax passes over what can be no image, instead of refusing the delivery.
	lax bool
}

// The longest that each can be. Nothing longer is looked at, nor repeated in an
// error.
const (
	longestName = 512
	longestTag  = 200 // 128, or a digest
	longestID   = 200
)

// event is what a claim names, in the words of the registry package. The zero
// Event is something that is no image: a signature, or content that no host of
// ours can hold.
func (c claim) event() (Event, error) {
	if err := c.bounded(); err != nil {
		return Event{}, err
	}
	repo, tag, digest, err := c.parts()
	if err != nil {
		return Event{}, c.errorf("%w", err)
	}
	if strings.Contains(tag, ":") {
		tag, digest = "", cmp.Or(digest, tag)
	}
	if strings.HasPrefix(tag, "sha256-") || strings.HasPrefix(digest, "sha512:") || strings.HasPrefix(digest, "sha384:") {
		return Event{}, nil
	}
	e := Event{Registry: repo.Host(), Path: repo.Path(), Below: c.below, Tag: tag, ID: c.id}
	if c.ref == "" {
		e.Registry = c.registry
		if isHub(c.registry) {
			e.Registry = repo.Host()
		}
	}
	if tag != "" {
		if _, err := registry.NewRef(repo, tag); err != nil {
			return Event{}, c.errorf("%w", err)
		}
	}
	if digest != "" {
		if e.Digest, err = registry.ParseDigest(digest); err != nil {
			return Event{}, c.errorf("%w", err)
		}
	}
	if len(e.ID) > longestID || !utf8.ValidString(e.ID) {
		e.ID = ""
	}
	return e, nil
}

func (c claim) bounded() error {
	for _, part := range []struct {
		name, value string
		most        int
	}{
		{"the image", c.ref, longestName},
		{"the registry", c.registry, longestName},
		{"the repository", c.path, longestName},
		{"the tag", c.tag, longestTag},
		{"the digest", c.digest, longestTag},
	} {
		if len(part.value) > part.most {
			return c.errorf("%s has %d bytes, and none has more than %d", part.name, len(part.value), part.most)
		}
	}
	return nil
}

// parts reads ref, or registry and path.
func (c claim) parts() (repo registry.Repository, tag, digest string, err error) {
	if c.ref == "" {
		repo, err = c.repository()
		return repo, c.tag, c.digest, err
	}
	name, digest, _ := strings.Cut(c.ref, "@")
	repo, err = registry.ParseRepository(name)
	if err != nil {
		var ref registry.Ref
		ref, err = registry.ParseRef(name)
		repo, tag = ref.Repository(), ref.Tag()
	}
	return repo, cmp.Or(c.tag, tag), cmp.Or(c.digest, digest), err
}

// repository joins registry and path. A registry that is none (a name without a
// dot and a port, which is what one within a private network may call itself)
// would be taken for the path's beginning, so it gets a port for the while.
func (c claim) repository() (registry.Repository, error) {
	host := c.registry
	switch {
	case c.path == "":
		return registry.Repository{}, fmt.Errorf("the repository is missing")
	case host == "":
		host = "registry.invalid"
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		host += ":80"
	}
	repo, err := registry.ParseRepository(host + "/" + c.path)
	if err == nil && repo.Host() != host && !isHub(host) {
		err = fmt.Errorf("registry %q: no registry has such an address", c.registry)
	}
	return repo, err
}

func isHub(host string) bool { return host == "docker.io" || host == "index.docker.io" }

func (c claim) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", c.at, fmt.Errorf(format, args...))
}
