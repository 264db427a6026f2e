package webhook

import (
	"errors"
	"strings"
)

// decodeZot reads events of zot, which names no registry. Its image.updated is
// a push, and a tag that was set on what was there.
func decodeZot(d Delivery) ([]claim, error) {
	envelope, err := readCloudEvent(d)
	switch {
	case err != nil:
		return nil, err
	case envelope.Type == "":
		return nil, errors.New("header Ce-Type: missing")
	case !strings.HasSuffix(envelope.Type, ".image.updated"): // what is before it can be configured
		return nil, nil
	}
	var image struct{ Name, Reference, Digest, MediaType, Manifest string }
	if err := read(envelope.Data, &image); err != nil {
		return nil, err
	}
	var manifest struct{ Config struct{ MediaType string } }
	if image.Manifest != "" {
		if err := read([]byte(image.Manifest), &manifest); err != nil {
			return nil, err
		}
	}
	if !isManifest(image.MediaType) || isArtefact(manifest.Config.MediaType) {
		return nil, nil
	}
	return []claim{{at: "name, reference, digest", path: image.Name, tag: image.Reference, digest: image.Digest, id: envelope.ID}}, nil
}
