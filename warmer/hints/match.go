package hints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

// match gives the images that an event is about, as far as its hook may speak of
// them, and says why where there are none.
//
// The registry that the sender names is compared and never connected to. A
// sender that names none, where its hook does not either, means a path at
// whatever registry the hook may speak of.
func (s *Setup) match(h Hook, e webhook.Event) (images []string, why string) {
	where, ok := placeOf(cmp.Or(h.Registry, e.Registry), e)
	if !ok {
		return nil, fmt.Sprintf("%s is no repository", clip(where.String()))
	}
	kept, allowed := false, false
	for _, image := range s.Images {
		if !where.has(image.Repository) {
			continue
		}
		kept = true
		if !h.allows(image.Repository, e.Tag) {
			continue
		}
		allowed = true
		if e.Tag == "" || image.Takes(e.Tag) {
			images = append(images, image.Name)
		}
	}
	switch {
	case len(images) > 0:
		return images, ""
	case !kept:
		return nil, fmt.Sprintf("no image of the configuration is of %s", clip(where.String()))
	case !allowed:
		return nil, fmt.Sprintf("the hook may not speak of %s", clip(where.String()))
	}
	return nil, fmt.Sprintf("no image follows the tag %s of %s", clip(e.Tag), clip(where.String()))
}

func (h Hook) allows(repo registry.Repository, tag string) bool {
	name := repo.String()
	if tag != "" {
		name += ":" + tag
	}
	return slices.ContainsFunc(h.Repositories, func(p registry.Pattern) bool { return p.Match(name) })
}

// place is where an event says that something was pushed.
type place struct {
	host  string // empty: any
	path  string
	below bool
}

// placeOf completes names as Docker does: node of Docker Hub is library/node.
func placeOf(host string, e webhook.Event) (place, bool) {
	p := place{host: host, path: e.Path, below: e.Below}
	if host == "" {
		return p, e.Path != ""
	}
	repo, err := registry.ParseRepository(host + "/" + e.Path)
	if err != nil {
		return p, false
	}
	p.host = repo.Host()
	if !e.Below { // a project is no repository, and gets no library/
		p.path = repo.Path()
	}
	return p, true
}

func (p place) has(repo registry.Repository) bool {
	if p.host != "" && p.host != repo.Host() {
		return false
	}
	return repo.Path() == p.path || p.below && strings.HasPrefix(repo.Path(), p.path+"/")
}

func (p place) String() string {
	text := p.path
	if p.host != "" {
		text = p.host + "/" + text
	}
	if p.below {
		text += "/**"
	}
	return text
}

// longest bounds what is kept and repeated of a sender's or a registry's words,
// in bytes.
const longest = 300

func clip(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}
