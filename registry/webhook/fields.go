package webhook

import (
	"fmt"
	"strings"
)

// Fields say where in a body of JSON what is, for senders that Prewarm has no
// kind for. Each is a path, such as detail.image-tag; [] after a name walks all
// elements of a list, as in resources[].tag, and a string that holds JSON, plain
// or in base64, is entered like an object. Or it is a text with paths in braces:
// {account}.dkr.ecr.{region}.amazonaws.com. Image or Repository is required, the
// rest may be empty.
type Fields struct {
	Image      string // a whole ref
	Registry   string
	Repository string
	Tag        string
	Digest     string
	ID         string
}

// Check tells whether the fields can be read; the error names the one that can't.
func (f Fields) Check() error {
	_, err := f.parse()
	return err
}

// The places of the fields within a mapping.
const (
	atImage = iota
	atRegistry
	atRepository
	atTag
	atDigest
	atID
)

// mapping is Fields that were read.
type mapping struct {
	texts [6]text
	// list is the longest path to a list that they have. All others that walk one
	// walk it, or one around it: so their elements go in step.
	list path
}

func (f Fields) parse() (mapping, error) {
	var m mapping
	if f.Image == "" && f.Repository == "" {
		return m, fmt.Errorf("fields: image or repository is required")
	}
	values := [...]string{f.Image, f.Registry, f.Repository, f.Tag, f.Digest, f.ID}
	for i, name := range []string{"image", "registry", "repository", "tag", "digest", "id"} {
		t, err := parseText(values[i])
		if err != nil {
			return m, fmt.Errorf("fields.%s: %w", name, err)
		}
		m.texts[i] = t
		for _, p := range t.paths {
			list := p.list()
			if len(list) > len(m.list) {
				m.list, list = list, m.list
			}
			if !m.list.startsWith(list) {
				return m, fmt.Errorf("fields.%s: %s and %s are lists that do not go in step", name, m.list, list)
			}
		}
	}
	return m, nil
}

// decode reads a body by the fields. One that has nothing where the image should
// be tells of something else.
func (f Fields) decode(d Delivery) ([]claim, error) {
	m, err := f.parse()
	if err != nil {
		return nil, err
	}
	var body any
	if err := read(d.Body, &body); err != nil {
		return nil, err
	}
	var claims []claim
	err = m.list.each(body, func(scope []any) error {
		if len(claims) > mostEvents {
			return nil // Decode refuses it as it is
		}
		c, err := m.claim(scope)
		if err == nil && (c.ref != "" || c.path != "") {
			if c.id == "" {
				c.id = header(d, "X-Prewarm-Id", "Webhook-Id")
			}
			claims = append(claims, c)
		}
		return err
	})
	return claims, err
}

// claim reads one element of the list, or the body where there is no list.
func (m mapping) claim(scope []any) (claim, error) {
	var values [6]string
	for i, t := range m.texts {
		var err error
		if values[i], err = t.read(scope); err != nil {
			return claim{}, err
		}
	}
	c := claim{at: m.texts[atImage].source, ref: values[atImage], id: values[atID]}
	c.tag, c.digest = bareTag(values[atTag]), bareDigest(values[atDigest])
	if c.ref == "" {
		c.at, c.registry, c.path = m.texts[atRepository].source, bareHost(values[atRegistry]), values[atRepository]
	}
	return c, nil
}

// bareTag is the tag of what may be a whole ref.
func bareTag(value string) string {
	if strings.Contains(value, "/") {
		return value[strings.LastIndexByte(value, ':')+1:]
	}
	return value
}

// bareDigest is the digest of what may be a whole pin, or 64 hex digits.
func bareDigest(value string) string {
	value = value[strings.LastIndexByte(value, '@')+1:]
	if len(value) == 64 && !strings.Contains(value, ":") {
		return "sha256:" + value
	}
	return value
}

// bareHost is the registry of what may be an address with a scheme.
func bareHost(value string) string {
	if _, rest, ok := strings.Cut(value, "://"); ok {
		value, _, _ = strings.Cut(rest, "/")
	}
	return value
}
