package registry

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
)

// Repository is where images live: a registry and a path in it, normalised as
// Docker does ("node" is docker.io/library/node). It is comparable; the zero
// Repository names nothing.
type Repository struct{ host, path string }

// ParseRepository reads a repository as people write it, without tag or digest.
func ParseRepository(s string) (Repository, error) {
	named, err := parseNamed(s)
	if err != nil {
		return Repository{}, err
	}
	if !reference.IsNameOnly(named) {
		return Repository{}, fmt.Errorf("parse repository %q: a repository carries no tag and no digest", s)
	}
	return repositoryOf(named), nil
}

// Host is the registry's address, with its port where one is written.
func (r Repository) Host() string { return r.host }

// Path is the repository's name within its registry.
func (r Repository) Path() string { return r.path }

// IsZero tells whether r names nothing.
func (r Repository) IsZero() bool { return r == Repository{} }

// String is the full name, as engines print it: docker.io/library/node.
func (r Repository) String() string {
	if r.IsZero() {
		return ""
	}
	return r.host + "/" + r.path
}

// Familiar is the short name that people use: node for docker.io/library/node.
func (r Repository) Familiar() string {
	named, err := reference.ParseNormalizedNamed(r.String())
	if err != nil {
		return r.String()
	}
	return reference.FamiliarName(named)
}

// Ref is a repository with a tag. What it points at changes, so nothing is
// ever run or warmed by a Ref: resolve it to a Pin first.
type Ref struct {
	repo Repository
	tag  string
}

// NewRef joins a repository and a tag.
func NewRef(repo Repository, tag string) (Ref, error) {
	if repo.IsZero() {
		return Ref{}, fmt.Errorf("make a ref of tag %q: no repository", tag)
	}
	if reference.TagRegexp.FindString(tag) != tag || tag == "" {
		return Ref{}, fmt.Errorf("tag %q: a tag is 1 to 128 letters, digits, '_', '.' or '-', and starts with a letter, a digit or '_'", tag)
	}
	return Ref{repo: repo, tag: tag}, nil
}

// ParseRef reads repo:tag; a missing tag is "latest", as for docker run. A
// digest is refused: that is a Pin.
func ParseRef(s string) (Ref, error) {
	named, err := parseNamed(s)
	if err != nil {
		return Ref{}, err
	}
	if _, ok := named.(reference.Digested); ok {
		return Ref{}, fmt.Errorf("parse ref %q: it carries a digest, so it is a pin", s)
	}
	tagged, ok := reference.TagNameOnly(named).(reference.Tagged)
	if !ok {
		return Ref{}, fmt.Errorf("parse ref %q: no tag", s)
	}
	return Ref{repo: repositoryOf(named), tag: tagged.Tag()}, nil
}

// Repository is the ref's repository.
func (r Ref) Repository() Repository { return r.repo }

// Tag is the ref's tag.
func (r Ref) Tag() string { return r.tag }

// IsZero tells whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.repo.String() + ":" + r.tag
}

// MarshalText writes the ref in full.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Ref) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*r = Ref{}
		return nil
	}
	*r, err = ParseRef(string(b))
	return err
}

// Digest is the content address of a manifest or an index: "sha256:" and 64
// lower-case hex digits.
type Digest string

// ParseDigest reads a sha256 digest. Other algorithms are refused: no registry
// that we know serves them, and keep-tags are made of 64 hex digits.
func ParseDigest(s string) (Digest, error) {
	hex, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("digest %q: want sha256: and 64 lower-case hex digits", s)
	}
	return Digest(s), nil
}

// Hex is the digest without its algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short is enough of the digest for a person to tell it from others.
func (d Digest) Short() string {
	if len(d) < len("sha256:")+12 {
		return string(d)
	}
	return string(d[:len("sha256:")+12])
}

// Pin is a repository with a digest: content that can't change. Runs and pulls
// take a Pin, never a Ref. It is comparable and normalised; the zero Pin names
// nothing and is refused wherever one is needed.
type Pin struct {
	repo   Repository
	digest Digest
}

// NewPin joins a repository and a digest.
func NewPin(repo Repository, digest Digest) Pin { return Pin{repo: repo, digest: digest} }

// ParsePin reads repo@sha256:…. A tag between the two is refused: engines
// ignore it, and a reader would believe it.
func ParsePin(s string) (Pin, error) {
	named, err := parseNamed(s)
	if err != nil {
		return Pin{}, err
	}
	digested, ok := named.(reference.Digested)
	if !ok {
		return Pin{}, fmt.Errorf("parse pin %q: no digest", s)
	}
	if _, ok := named.(reference.Tagged); ok {
		return Pin{}, fmt.Errorf("parse pin %q: engines ignore a tag beside a digest; write one of them", s)
	}
	digest, err := ParseDigest(digested.Digest().String())
	if err != nil {
		return Pin{}, fmt.Errorf("parse pin %q: %w", s, err)
	}
	return Pin{repo: repositoryOf(named), digest: digest}, nil
}

// Repository is the pin's repository.
func (p Pin) Repository() Repository { return p.repo }

// Digest is the pin's digest: an index's or a single manifest's, as the tag
// showed it.
func (p Pin) Digest() Digest { return p.digest }

// IsZero tells whether p names nothing.
func (p Pin) IsZero() bool { return p == Pin{} }

func (p Pin) String() string {
	if p.IsZero() {
		return ""
	}
	return p.repo.String() + "@" + string(p.digest)
}

// MarshalText writes the pin in full.
func (p Pin) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Pin) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Pin{}
		return nil
	}
	*p, err = ParsePin(string(b))
	return err
}

// parseNamed reads a reference and refuses what either of the two libraries
// refuses: distribution takes Foo/x for a host named Foo, go-containerregistry
// does not take it at all, and we would fail later and worse.
func parseNamed(s string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return nil, fmt.Errorf("parse image reference %q: %w", s, err)
	}
	if _, err := name.NewRepository(named.Name()); err != nil {
		return nil, fmt.Errorf("parse image reference %q: %w", s, err)
	}
	if reference.Domain(named) == "" { // both take a.b_c/d, and find no registry in it
		return nil, fmt.Errorf("parse image reference %q: no registry has an address with a '_'", s)
	}
	return named, nil
}

func repositoryOf(named reference.Named) Repository {
	return Repository{host: reference.Domain(named), path: reference.Path(named)}
}
