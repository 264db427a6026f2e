package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/registry"
)

const (
	defaultWatch = "@every 1m" // one HEAD request a minute
	// defaultKeep: the last one to go back to, and the one before it in case
	// that was bad too.
	defaultKeep = 2
	approveWord = "manual"
)

// Image is what is kept warm, where, and how it goes live.
type Image struct {
	Name       string
	Repository registry.Repository
	Track      Track
	// Hosts is a selector: the labels that a host must have, all of them. An
	// empty one selects every host.
	Hosts map[string]string
	// Watch says when to look at the registry; zero when a digest is tracked,
	// which can't change.
	Watch    schedule.Spec
	Windows  schedule.Windows // when scheduled pulls may begin; empty: always
	Cooldown time.Duration    // from the first sight of a digest until it may be pulled; 0: none
	Approve  bool             // a person approves each digest before it is pulled
	Verify   Verify
	Promote  Promote
	Retag    bool        // move repository:tag on the hosts at promotion
	Keep     int         // superseded digests that stay warm for rollback
	Prune    RuleChanges // of the rules of its hosts: PrunePolicy.For merges them
	Run      Run         // what its runs get where a submit says nothing
}

// Selects tells whether the image is meant for a host.
func (i Image) Selects(h Host) bool { return selects(i.Hosts, h) }

// selects tells whether a host has all of some labels.
func selects(labels map[string]string, h Host) bool {
	for key, value := range labels {
		if has, ok := h.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

func (r *reader) images(docs []imageDoc, hosts []Host, policy Policy) []Image {
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
			Windows:    r.windows(entry+".windows", doc.Windows),
			Cooldown:   r.duration(entry+".cooldown", doc.Cooldown, 0, 0),
			Approve:    r.approve(entry+".approve", doc.Approve),
			Verify:     r.verify(entry+".verify", doc.Verify),
			Promote:    r.promote(entry+".promote", doc.Promote),
			Retag:      r.retag(entry, doc.Retag),
			Keep:       r.count(entry+".keep", doc.Keep, defaultKeep, "write how many earlier digests stay warm for rollback; 0 for none"),
			Run:        r.run(entry+".run", doc.Run),
		}
		image.Watch = r.watch(entry, doc.Watch)
		image.Prune = r.imagePrune(entry, doc.Prune, image.Keep)
		r.checkTracked(tracked, entry, image)
		r.checkRetag(list, entry, image)
		r.checkSelector(entry+".hosts", image, hosts)
		r.checkAllowed(entry+".run", image.Run, policy)
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
		r.add(field, text, "a repository carries no tag and no digest", "write it without, and what to follow under track: {tag: …}, {select: …} or {digest: …}")
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

func (r *reader) watch(entry, text string) schedule.Spec {
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
	return r.schedule(field, text)
}

// schedule gives the zero Spec for what it refuses.
func (r *reader) schedule(field, text string) schedule.Spec {
	spec, err := schedule.Parse(text)
	var refused *schedule.ParseError
	if errors.As(err, &refused) {
		r.add(field, text, refused.Why, refused.Mend)
	}
	return spec
}

func (r *reader) approve(field, text string) bool {
	if r.has(field) && text != approveWord {
		r.add(field, text, "there is no such way to approve", "write manual, or leave it out")
	}
	return r.has(field)
}

func (r *reader) retag(entry string, retag bool) bool {
	if retag && r.has(entry+".track.digest") {
		r.add(entry+".retag", "", "a digest has no tag that could be moved", "leave retag out, or track a tag")
	}
	return retag
}

// checkTracked reports a second entry for the same tag or digest: each would
// promote on its own, and a run by reference could not tell which is meant.
// Selections may overlap: their entries are run by name.
func (r *reader) checkTracked(tracked names, entry string, image Image) {
	if image.Repository.IsZero() || image.Track.String() == "" {
		return
	}
	what := image.Repository.String() + image.Track.String()
	if first, taken := tracked[what]; taken {
		r.add(entry, what, fmt.Sprintf("%s tracks the same", first), "make one entry of the two")
		return
	}
	tracked[what] = entry
}

// checkRetag reports an entry that could move the same tag on the hosts as an
// earlier one. What two selections have in common can't be told before the tags
// are known, so that two of one repository are taken to overlap.
func (r *reader) checkRetag(earlier []Image, entry string, image Image) {
	if !image.Retag || image.Repository.IsZero() {
		return
	}
	for i, e := range earlier {
		if e.Retag && e.Repository == image.Repository && e.Track.meets(image.Track) {
			r.add(entry+".retag", "", fmt.Sprintf("images[%d] may retag the same tag of %s", i, image.Repository), "leave retag to one of the two")
			return
		}
	}
}

// checkSelector reports an image that no host would get.
func (r *reader) checkSelector(field string, image Image, hosts []Host) {
	switch {
	case !r.selectsNone(image.Hosts, hosts):
	case len(hosts) == 0:
		r.add(field, "", "no host is configured, so nothing would be warm anywhere", "add one under hosts")
	default:
		r.add(field, selector(image.Hosts), "no host has these labels", "labels that hosts have: "+labelsOf(hosts))
	}
}

// selectsNone tells whether no host has all of some labels, nor can have them
// later: the hosts of a file come and go.
func (r *reader) selectsNone(labels map[string]string, hosts []Host) bool {
	return !r.spoiledWithin("hosts") && !r.has("hosts_file") && !slices.ContainsFunc(hosts, func(h Host) bool { return selects(labels, h) })
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
