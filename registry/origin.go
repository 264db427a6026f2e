package registry

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Origin is what an image says of the source that it was built of, by the OCI
// annotations of its index or the labels of its configuration. Nothing of it is
// proven, and an image that sets no labels has those of its base image.
type Origin struct {
	Revision string    `json:",omitempty"` // a commit
	Source   string    `json:",omitempty"` // where the source is
	Version  string    `json:",omitempty"`
	Created  time.Time `json:",omitzero"`
}

// longestOrigin is more than a commit, an address or a version needs.
const longestOrigin = 512

// originOf reads annotations or labels.
func originOf(labels map[string]string) Origin {
	const prefix = "org.opencontainers.image."
	o := Origin{
		Revision: tame(labels[prefix+"revision"]),
		Source:   withoutUser(tame(labels[prefix+"source"])),
		Version:  tame(labels[prefix+"version"]),
	}
	if created, err := time.Parse(time.RFC3339, labels[prefix+"created"]); err == nil {
		o.Created = created
	}
	return o
}

// silent tells whether nothing is said of the source.
func (o Origin) silent() bool { return o.Revision == "" && o.Source == "" && o.Version == "" }

// or takes what b knows where o is silent.
func (o Origin) or(b Origin) Origin {
	if !o.silent() {
		return o
	}
	if b.Created.IsZero() {
		b.Created = o.Created
	}
	return b
}

// tame makes a stranger's text fit for one line of a terminal.
func tame(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > longestOrigin {
		s = strings.ToValidUTF8(s[:longestOrigin], "")
	}
	return strings.TrimSpace(s)
}

// withoutUser takes the login out of an address: build systems that clone with
// a token in the address write it into the label too.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}

// originOfConfig reads the labels in an image's configuration. One that can't be
// read says nothing.
func originOfConfig(raw []byte) Origin {
	var config struct {
		Config struct{ Labels map[string]string }
	}
	if json.Unmarshal(raw, &config) != nil {
		return Origin{}
	}
	return originOf(config.Config.Labels)
}

// origin reads the configuration of an image for what it says of its source.
// What it does not say, or can't be read, is not worth a failure.
func (s *session) origin(ctx context.Context, doc document) Origin {
	raw, err := s.config(ctx, doc)
	if err != nil {
		return Origin{}
	}
	return originOfConfig(raw)
}
