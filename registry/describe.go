package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Limits of what a manifest makes us keep and ask for: engines take some 125
// layers, and the largest indexes have a few dozen images. Each entry without a
// platform costs requests, which go ahead of those for other repositories.
const (
	maxParts    = 1000 // layers of an image, or entries of an index
	maxUnlisted = 20   // entries that don't tell their platform
	maxPlatform = 200  // bytes of a platform's words together
)

// document is the part that we read of an index or a manifest. Which of the
// two it is shows in its content: registries that serve files send any
// Content-Type, and the field mediaType may be missing.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	Manifests     []v1.Descriptor   `json:"manifests"` // of an index
	Config        *v1.Descriptor    `json:"config"`    // of an image
	Layers        []v1.Descriptor   `json:"layers"`    // of an image
	Annotations   map[string]string `json:"annotations"`

	digest Digest // verified where it was asked for by digest
}

func (d document) isIndex() bool { return d.Manifests != nil }

// errNotImage is what a digest may hold that is no image; the text says what.
type errNotImage struct{ what string }

func (e errNotImage) Error() string { return e.what }

// get reads an index or a manifest. Asked for by digest, the content has been
// checked against it by go-containerregistry.
func (s *session) get(ctx context.Context, ref name.Reference) (document, error) {
	desc, err := s.puller.Get(ctx, ref)
	if err != nil {
		return document{}, err
	}
	// The library believes the digest header of a signed schema 1 manifest
	// instead of hashing it, so nothing served as that can get any further.
	if desc.MediaType.IsSchema1() {
		return document{}, errSchema1
	}
	doc, err := parseDocument(desc.Manifest)
	if err != nil {
		return document{}, err
	}
	doc.digest, err = ParseDigest(desc.Digest.String())
	return doc, err
}

var errSchema1 = errNotImage{"it is in Docker's old format (schema 1), which current engines don't pull"}

func parseDocument(raw []byte) (document, error) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return document{}, fmt.Errorf("what it serves as a manifest is not one: %w", err)
	}
	switch isImage := doc.Config != nil && doc.Layers != nil; {
	case doc.SchemaVersion == 1 || doc.MediaType.IsSchema1():
		return document{}, errSchema1
	case isImage == doc.isIndex():
		// Neither; or both, of which two readers may see different images.
		return document{}, errors.New("what it serves as a manifest is neither an image nor an index")
	case isImage && doc.MediaType.IsIndex(), doc.isIndex() && doc.MediaType.IsImage():
		return document{}, errors.New("the manifest's media type contradicts its content")
	case len(doc.Layers) > maxParts || len(doc.Manifests) > maxParts:
		return document{}, errNotImage{fmt.Sprintf("it lists more than %d layers or images", maxParts)}
	}
	return doc, nil
}

// describe reads the children of a digest, the layers of those that the
// platforms run, and of what source it was built.
func (s *session) describe(ctx context.Context, digest Digest, platforms []Platform) ([]Child, Origin, error) {
	doc, err := s.get(ctx, s.target.Digest(string(digest)))
	if err != nil {
		return nil, Origin{}, err
	}
	origin := originOf(doc.Annotations)
	if !doc.isIndex() {
		child, config, err := s.image(ctx, doc)
		if err != nil {
			return nil, Origin{}, err
		}
		return []Child{child}, origin.or(originOfConfig(config)), nil
	}
	m, err := s.children(ctx, doc)
	if err != nil {
		return nil, Origin{}, err
	}
	var first document
	for _, p := range platforms {
		doc, err := s.addLayers(ctx, m, p)
		if err != nil {
			return nil, Origin{}, err
		}
		if first.Config == nil {
			first = doc
		}
	}
	origin = origin.or(originOf(first.Annotations))
	if origin.silent() && first.Config != nil {
		origin = origin.or(s.origin(ctx, first))
	}
	return m.Children, origin, nil
}

// image describes a single manifest, and gives its configuration: its platform
// is there only.
func (s *session) image(ctx context.Context, doc document) (Child, []byte, error) {
	if t := doc.Config.MediaType; !t.IsConfig() && t != "application/octet-stream" {
		// The last is what Docker wrote until 1.10, and registries still hold.
		return Child{}, nil, errNotImage{fmt.Sprintf("it is an artefact of type %.80q", string(t))}
	}
	layers, err := doc.layers()
	if err != nil {
		return Child{}, nil, err
	}
	raw, err := s.config(ctx, doc)
	if err != nil {
		return Child{}, nil, err
	}
	var config v1.Platform
	if err := json.Unmarshal(raw, &config); err != nil {
		return Child{}, nil, fmt.Errorf("read image configuration: %w", err)
	}
	if config.OS == "" || config.Architecture == "" || isLong(config) {
		return Child{}, nil, errors.New("the image's configuration names no platform")
	}
	return Child{Platform: platformOf(config), Digest: doc.digest, Layers: once(layers)}, raw, nil
}

// config reads an image's configuration. The reader fails at its end where the
// content is not what its digest says.
func (s *session) config(ctx context.Context, doc document) ([]byte, error) {
	blob, err := s.puller.Layer(ctx, s.target.Digest(doc.Config.Digest.String()))
	if err != nil {
		return nil, err
	}
	body, err := blob.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	return raw, nil
}

// children lists the images of an index, without their layers. What says
// unknown/unknown is a note on another entry (provenance, a list of contents).
func (s *session) children(ctx context.Context, doc document) (Manifest, error) {
	var m Manifest
	unlisted := 0
	for _, d := range doc.Manifests {
		if d.MediaType != "" && !d.MediaType.IsImage() {
			continue // a nested index, or a kind that engines pass over too
		}
		if d.Platform == nil {
			unlisted++
		}
		if unlisted > maxUnlisted {
			return Manifest{}, errNotImage{fmt.Sprintf("it lists more than %d images without their platforms", maxUnlisted)}
		}
		child, ok, err := s.child(ctx, d)
		if err != nil {
			return Manifest{}, err
		}
		if ok {
			m.Children = append(m.Children, child)
		}
	}
	if len(m.Children) == 0 {
		return Manifest{}, errNotImage{"it is an index that holds no image"}
	}
	return m, nil
}

// child describes an entry of an index. One without a platform is read to the
// end, as engines do; an artefact among the images is none of ours.
func (s *session) child(ctx context.Context, d v1.Descriptor) (Child, bool, error) {
	digest, err := ParseDigest(d.Digest.String())
	if err != nil {
		return Child{}, false, err
	}
	if d.Platform != nil {
		p := platformOf(*d.Platform)
		return Child{Platform: p, Digest: digest}, p.OS != "unknown" && !p.IsZero() && !isLong(*d.Platform), nil
	}
	doc, err := s.get(ctx, s.target.Digest(string(digest)))
	if err != nil {
		return Child{}, false, err
	}
	if doc.isIndex() {
		return Child{}, false, nil
	}
	child, _, err := s.image(ctx, doc)
	if notImage := (errNotImage{}); errors.As(err, &notImage) {
		return Child{}, false, nil
	}
	return child, err == nil, err
}

// addLayers reads the layers of the child that p runs, and gives the manifest
// that it read for them, if any. An index that has none for p is no error here:
// the caller asks Manifest.For and says which host goes without.
func (s *session) addLayers(ctx context.Context, m Manifest, p Platform) (document, error) {
	i, ok := m.index(p)
	if !ok || m.Children[i].Layers != nil {
		return document{}, nil
	}
	doc, err := s.get(ctx, s.target.Digest(string(m.Children[i].Digest)))
	if err != nil {
		return document{}, err
	}
	if doc.isIndex() {
		return document{}, fmt.Errorf("the index lists %s as an image, and it is an index", m.Children[i].Digest)
	}
	layers, err := doc.layers()
	m.Children[i].Layers = once(layers)
	return doc, err
}

func (d document) layers() ([]Layer, error) {
	layers := make([]Layer, 0, len(d.Layers))
	for _, l := range d.Layers {
		digest, err := ParseDigest(l.Digest.String())
		if err != nil {
			return nil, fmt.Errorf("read layers: %w", err)
		}
		if l.Size < 0 {
			return nil, fmt.Errorf("read layers: layer %s has a negative size", digest)
		}
		layers = append(layers, Layer{Digest: digest, Bytes: l.Size})
	}
	return layers, nil
}

// once leaves each layer once: an image may repeat one (the empty layer,
// mostly), and a host fetches it once.
func once(layers []Layer) []Layer {
	distinct := layers[:0]
	for _, l := range layers {
		if !slices.Contains(distinct, l) {
			distinct = append(distinct, l)
		}
	}
	return distinct
}

func platformOf(p v1.Platform) Platform {
	return Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// isLong tells whether a platform is none that there is.
func isLong(p v1.Platform) bool {
	return len(p.OS)+len(p.Architecture)+len(p.Variant) > maxPlatform
}
