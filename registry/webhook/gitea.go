package webhook

import (
	"errors"
	"net/url"
	"strings"
)

// decodeGitea reads package events of Gitea and Forgejo. Each manifest sends
// one, those without a tag with their digest as version.
func decodeGitea(d Delivery) ([]claim, error) {
	if event := header(d, "X-Gitea-Event", "X-Forgejo-Event"); event != "" && event != "package" {
		return nil, nil
	}
	var event struct {
		Action  string
		Package *struct {
			Type, Name, Version string
			Owner               struct{ Login string }
			URL                 string `json:"html_url"`
		}
	}
	if err := read(unwrap(d), &event); err != nil {
		return nil, err
	}
	p := event.Package
	switch {
	case p == nil:
		return nil, errors.New("package: missing")
	case event.Action != "created" || p.Type != "container":
		return nil, nil
	case p.Owner.Login == "" || p.Name == "":
		return nil, errors.New("package.owner.login, package.name: missing")
	}
	c := claim{at: "package", path: strings.ToLower(p.Owner.Login + "/" + p.Name), tag: p.Version, id: header(d, "X-Gitea-Delivery", "X-Forgejo-Delivery")}
	// The registry is where its pages are; it does not say so otherwise.
	if page, err := url.Parse(p.URL); err == nil {
		c.registry = page.Host
	}
	return []claim{c}, nil
}
