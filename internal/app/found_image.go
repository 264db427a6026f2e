package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// NamedImage is an image as a configuration names it.
type NamedImage struct {
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Registry   string `json:"registry"`
}

// NameImage makes an entry of REF or NAME=REF. Without a name it is the last part
// of the repository, as etl/node_jobs is node-jobs.
func NameImage(text string) (NamedImage, error) {
	name, ref, named := strings.Cut(text, "=")
	if !named {
		ref = text
	}
	if strings.Contains(ref, "@") {
		return NamedImage{}, problem.New(problem.InvalidRequest, fmt.Sprintf("image %q: it names a digest, which never changes", text),
			"name a tag to follow, as in node:22; track.digest in the file keeps to one digest")
	}
	parsed, err := registry.ParseRef(ref)
	if err != nil {
		return NamedImage{}, err
	}
	repo := parsed.Repository()
	if !named {
		path := repo.Path()
		name = strings.Trim(strings.ReplaceAll(path[strings.LastIndex(path, "/")+1:], "_", "-"), ".-")
	}
	return NamedImage{Name: name, Repository: repo.Familiar(), Tag: parsed.Tag(), Registry: repo.Host()}, nil
}

// NewSecret makes the text of a token, as prewarm token create does.
func NewSecret() (string, error) {
	plain, _, err := access.NewToken("new", access.Grant{}, time.Time{})
	return plain, err
}

// PlainRegistry is registry.PlainHere, for those who can't ask it themselves.
func PlainRegistry(ctx context.Context, address string) bool { return registry.PlainHere(ctx, address) }
