package config

import (
	"errors"

	"github.com/prewarm/prewarm/internal/selection"
	"github.com/prewarm/prewarm/registry"
)

const defaultTag = "latest" // as for docker pull

// Track is what of a repository is kept warm: one of the three is set.
type Track struct {
	Tag    string
	Digest registry.Digest
	Select selection.Spec
}

// IsZero tells whether nothing is tracked, which no loaded image is.
func (t Track) IsZero() bool { return t.Tag == "" && t.Digest == "" && t.Select.IsZero() }

// String is the part of an image reference behind the repository; a selection
// has none.
func (t Track) String() string {
	switch {
	case t.Digest != "":
		return "@" + string(t.Digest)
	case t.Tag != "":
		return ":" + t.Tag
	}
	return ""
}

// meets tells whether two tracks of one repository can mean the same tag. Two
// equal tags are refused elsewhere.
func (t Track) meets(o Track) bool {
	switch {
	case t.IsZero() || o.IsZero() || t.Select.IsZero() && o.Select.IsZero():
		return false
	case t.Select.IsZero():
		return len(o.Select.Select([]string{t.Tag}, nil).Chosen) > 0
	case o.Select.IsZero():
		return o.meets(t)
	}
	return true
}

// track gives the zero Track for what it refuses.
func (r *reader) track(field string, doc trackDoc) Track {
	if r.spoiledWithin(field) {
		return Track{}
	}
	tag, digest, sel := r.has(field+".tag"), r.has(field+".digest"), r.has(field+".select")
	switch {
	case tag && digest || tag && sel || digest && sel:
		r.add(field, "", "more than one of tag, digest and select is written", "keep one of them")
		return Track{}
	case digest:
		return Track{Digest: r.digest(field+".digest", doc.Digest)}
	case sel:
		return Track{Select: r.selection(field+".select", doc.Select)}
	case tag:
		return Track{Tag: r.tag(field+".tag", doc.Tag)}
	}
	return Track{Tag: defaultTag}
}

func (r *reader) digest(field, text string) registry.Digest {
	digest, err := registry.ParseDigest(text)
	if err != nil {
		r.add(field, text, "it is not a digest", "write sha256: and 64 lower-case hex digits")
	}
	return digest
}

func (r *reader) tag(field, text string) string {
	// Any repository does to check a tag.
	probe, err := registry.ParseRepository("prewarm")
	if err == nil {
		_, err = registry.NewRef(probe, text)
	}
	if err != nil {
		r.add(field, text, "it is not a tag", "write 1 to 128 letters, digits, '_', '.' or '-', beginning with a letter, a digit or '_'")
		return ""
	}
	return text
}

func (r *reader) selection(field string, doc *selectDoc) selection.Spec {
	if r.has(field+".newest") && doc.Newest < 1 {
		r.add(field+".newest", "0", "at least one tag is to be chosen", "write 1 or more")
		return selection.Spec{}
	}
	spec, err := selection.New(selection.Options(*doc))
	var refused *selection.OptionError
	if errors.As(err, &refused) {
		r.add(join(field, refused.Field), refused.Value, refused.Why, refused.Mend)
	}
	return spec
}

func (t Track) document() trackDoc {
	doc := trackDoc{Tag: t.Tag, Digest: string(t.Digest)}
	if !t.Select.IsZero() {
		sel := selectDoc(t.Select.Options())
		doc.Select = &sel
	}
	return doc
}
