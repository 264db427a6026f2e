package webhook

import (
	"errors"
	"fmt"
)

// notification is an event of CNCF Distribution and of what was built on it.
type notification struct {
	ID     string `json:"id"`
	Action string
	Target struct {
		MediaType, Repository, Tag, Digest string
		// References is what the manifest is made of, where the registry is told to
		// send that.
		References []struct{ MediaType string }
	}
	Request struct{ Host string }
}

// decodeDistribution reads the envelope of v1 and of v2: what differs is its
// media type. A registry repeats what is refused for ever, and sends nothing
// else meanwhile; who pushes there chooses the names. So no name is refused.
func decodeDistribution(d Delivery) ([]claim, error) {
	var envelope struct{ Events []notification }
	if err := read(d.Body, &envelope); err != nil {
		return nil, err
	}
	if envelope.Events == nil {
		return nil, errors.New("events: missing")
	}
	var claims []claim
	for i, n := range envelope.Events {
		if n.isImage() {
			c := n.claim(fmt.Sprintf("events[%d].target", i))
			c.lax = true
			claims = append(claims, c)
		}
	}
	return claims, nil
}

// isImage leaves out pulls (a HEAD request of our own is one), deletions, blobs
// and what is no image. The children of an index are pushed each by itself and
// without a tag.
func (n notification) isImage() bool {
	if n.Action != "push" || !isManifest(n.Target.MediaType) {
		return false
	}
	for _, r := range n.Target.References {
		if isArtefact(r.MediaType) {
			return false
		}
	}
	return true
}

func (n notification) claim(at string) claim {
	t := n.Target
	c := claim{at: at, registry: n.Request.Host, path: t.Repository, tag: t.Tag, digest: t.Digest, id: n.ID}
	// The host is what the request to the registry said: it may be anything.
	if _, err := (claim{registry: c.registry, path: "any"}).event(); err != nil {
		c.registry = ""
	}
	return c
}

// isManifest tells whether a media type can be an image's.
func isManifest(mediaType string) bool {
	switch mediaType {
	case "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json":
		return true
	}
	return false
}

// isArtefact tells whether a manifest with a configuration of a media type is no
// image: a Helm chart, or what says so by an empty one.
func isArtefact(configuration string) bool {
	return configuration == "application/vnd.cncf.helm.config.v1+json" || configuration == "application/vnd.oci.empty.v1+json"
}
