package webhook

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
)

// gitHubPackage is a package of GitHub, as far as all types of packages agree on
// how it looks.
type gitHubPackage struct {
	PackageType string `json:"package_type"`
	Ecosystem   string
	Registry    struct{ Type string }
	Version     json.RawMessage `json:"package_version"`
}

// decodeGitHub reads package and registry_package events. A push of an image
// for several platforms sends one for each manifest, most of them without a tag.
func decodeGitHub(d Delivery) ([]claim, error) {
	switch d.Header.Get("X-Github-Event") {
	case "package", "registry_package", "":
	default:
		return nil, nil
	}
	var event struct {
		Action          string
		Package         *gitHubPackage
		RegistryPackage *gitHubPackage `json:"registry_package"`
	}
	if err := read(unwrap(d), &event); err != nil {
		return nil, err
	}
	p := cmp.Or(event.Package, event.RegistryPackage)
	switch {
	case p == nil:
		return nil, errors.New("package, registry_package: missing")
	case event.Action != "published" && event.Action != "updated", !p.isContainer():
		return nil, nil
	}
	c, err := p.claim()
	c.id = d.Header.Get("X-Github-Delivery")
	return []claim{c}, err
}

// isContainer asks for any of three: which of them is right differs.
func (p gitHubPackage) isContainer() bool {
	return strings.EqualFold(p.Registry.Type, "container") || strings.EqualFold(p.PackageType, "container") || strings.EqualFold(p.Ecosystem, "container")
}

func (p gitHubPackage) claim() (claim, error) {
	var version struct {
		Version   string
		URL       string `json:"package_url"`
		Container struct {
			Tag struct{ Name, Digest string }
		} `json:"container_metadata"`
	}
	if len(p.Version) == 0 {
		return claim{}, errors.New("package_version: missing")
	}
	if err := read(p.Version, &version); err != nil {
		return claim{}, err
	}
	if version.URL == "" {
		return claim{}, errors.New("package_version.package_url: missing")
	}
	digest := version.Container.Tag.Digest
	if digest == "" && strings.HasPrefix(version.Version, "sha256:") {
		digest = version.Version
	}
	return claim{at: "package_version.package_url", ref: lowerName(version.URL), tag: version.Container.Tag.Name, digest: digest}, nil
}

// lowerName writes an image's name in lower case, as registries and engines have
// it, whatever the owner's is. A tag keeps its case; a colon without a tag goes.
func lowerName(ref string) string {
	ref = strings.TrimSuffix(ref, ":")
	end := len(ref)
	last := strings.LastIndexByte(ref, '/') + 1
	if i := strings.IndexAny(ref[last:], ":@"); i >= 0 {
		end = last + i
	}
	return strings.ToLower(ref[:end]) + ref[end:]
}
