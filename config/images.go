package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
)

const (
	defaultTag   = "latest"    // as for docker pull
	defaultWatch = "@every 1m" // one HEAD request a minute
)

// Image is what is kept warm, and where.
type Image struct {
	Name       string
	Repository registry.Repository
	Track      Track
	// Hosts is a selector: the labels that a host must have, all of them. An
	// empty one selects every host.
	Hosts map[string]string
	// Watch says when to look at the registry; zero when a digest is tracked,
	// which can't change.
	Watch schedule.Spec
}

// Track is what of a repository is kept warm: one of the two is set.
type Track struct {
	Tag    string
	Digest registry.Digest
}

// String is the part of an image reference behind the repository.
func (t Track) String() string {
	if t.Digest != "" {
		return "@" + string(t.Digest)
	}
	return ":" + t.Tag
}

// Selects tells whether the image is meant for a host.
func (i Image) Selects(h Host) bool {
	for key, value := range i.Hosts {
		if has, ok := h.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

func (r *reader) images(docs []imageDoc, hosts []Host) []Image {
	var list []Image
	seen, tracked := make(names), make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("images[%d]", i)
		r.checkName(seen, entry, doc.Name)
		image := Image{
			Name:       doc.Name,
			Repository: r.repository(entry+".repository", doc.Repository),
			Track:      r.track(entry+".track", doc.Track),
			Hosts:      maps.Clone(doc.Hosts),
		}
		image.Watch = r.watch(entry, doc.Watch, image.Track)
		r.checkTracked(tracked, entry, image)
		r.checkSelector(entry+".hosts", image, hosts)
		list = append(list, image)
	}
	return list
}

// repository gives the zero Repository for what it refuses.
func (r *reader) repository(field, text string) registry.Repository {
	repo, err := registry.ParseRepository(text)
	const example = "write it as in registry.example.com/etl/node-jobs"
	switch {
	case !r.has(field):
		r.add(field, "", "it is missing", example)
	case strings.Contains(text, "://"):
		r.add(field, text, "a repository is named without a scheme", example)
	case err == nil:
		return repo
	case isReference(text):
		r.add(field, text, "a repository carries no tag and no digest", "write it without, and what to follow under track: {tag: …} or {digest: …}")
	case text != strings.ToLower(text):
		r.add(field, text, "a repository has no upper-case letters", example)
	default:
		r.add(field, text, "it is not the name of a repository", example)
	}
	return registry.Repository{}
}

// isReference tells whether text is an image reference with a tag or a digest.
func isReference(text string) bool {
	_, refErr := registry.ParseRef(text)
	_, pinErr := registry.ParsePin(text)
	return refErr == nil || pinErr == nil
}

// track gives the zero Track for what it refuses.
func (r *reader) track(field string, doc trackDoc) Track {
	tagField, digestField := field+".tag", field+".digest"
	switch {
	case r.spoiledWithin(field):
		return Track{}
	case r.has(tagField) && r.has(digestField):
		r.add(field, "", "tag and digest stand together", "keep one of the two")
		return Track{}
	case r.has(digestField):
		digest, err := registry.ParseDigest(doc.Digest)
		if err != nil {
			r.add(digestField, doc.Digest, "it is not a digest", "write sha256: and 64 lower-case hex digits")
		}
		return Track{Digest: digest}
	case !r.has(tagField):
		return Track{Tag: defaultTag}
	}
	// Any repository does to check a tag.
	probe, err := registry.ParseRepository("prewarm")
	if err == nil {
		_, err = registry.NewRef(probe, doc.Tag)
	}
	if err != nil {
		r.add(tagField, doc.Tag, "it is not a tag", "write 1 to 128 letters, digits, '_', '.' or '-', beginning with a letter, a digit or '_'")
		return Track{}
	}
	return Track{Tag: doc.Tag}
}

func (r *reader) watch(entry, text string, track Track) schedule.Spec {
	field := entry + ".watch"
	if r.has(entry + ".track.digest") {
		if r.has(field) {
			r.add(field, text, "a digest can't change, so there is nothing to watch", "leave watch out, or track a tag")
		}
		return schedule.Spec{}
	}
	if !r.has(field) {
		text = defaultWatch
	}
	spec, err := schedule.Parse(text)
	var refused *schedule.ParseError
	if errors.As(err, &refused) {
		r.add(field, text, refused.Why, refused.Mend)
	}
	return spec
}

// checkTracked reports a second entry for the same thing: each would promote on
// its own, and a run by reference could not tell which is meant.
func (r *reader) checkTracked(tracked names, entry string, image Image) {
	if image.Repository.IsZero() || image.Track == (Track{}) {
		return
	}
	what := image.Repository.String() + image.Track.String()
	if first, taken := tracked[what]; taken {
		r.add(entry, what, fmt.Sprintf("%s tracks the same", first), "make one entry of the two")
		return
	}
	tracked[what] = entry
}

// checkSelector reports an image that no host would get.
func (r *reader) checkSelector(field string, image Image, hosts []Host) {
	if r.spoiledWithin("hosts") || slices.ContainsFunc(hosts, image.Selects) {
		return
	}
	if len(hosts) == 0 {
		r.add(field, "", "no host is configured, so nothing would be warm anywhere", "add one under hosts")
		return
	}
	r.add(field, selector(image.Hosts), "no host has these labels", "labels that hosts have: "+labelsOf(hosts))
}

// selector writes labels as a person would, in a fixed order.
func selector(labels map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, key+"="+labels[key])
	}
	return strings.Join(parts, ", ")
}

// labelsOf lists the labels of a fleet, each once.
func labelsOf(hosts []Host) string {
	all := make(map[string]bool)
	for _, h := range hosts {
		for key, value := range h.Labels {
			all[key+"="+value] = true
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return shown(strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}
