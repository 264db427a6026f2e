package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Redacted is the effective configuration as YAML: what was written, the
// defaults, and nothing of a secret but "***". Load accepts it; where nothing
// was secret, it loads as the same configuration.
func (c *Config) Redacted() ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(c.document()); err != nil {
		return nil, fmt.Errorf("write configuration as YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("write configuration as YAML: %w", err)
	}
	return b.Bytes(), nil
}

func (c *Config) document() document {
	doc := document{Server: serverDoc{Listen: c.Server.Listen}, State: stateDoc{Path: c.State.Path}}
	for _, reg := range c.Registries {
		doc.Registries = append(doc.Registries, reg.document())
	}
	for _, h := range c.Hosts {
		doc.Hosts = append(doc.Hosts, hostDoc{
			Name: h.Name, Endpoint: h.Endpoint, Insecure: h.Insecure, Labels: h.Labels,
			Limits: limitsDoc{Pulls: h.Limits.Pulls, Runs: h.Limits.Runs},
		})
	}
	for _, i := range c.Images {
		doc.Images = append(doc.Images, imageDoc{
			Name: i.Name, Repository: i.Repository.String(), Hosts: i.Hosts, Watch: i.Watch.String(),
			Track: trackDoc{Tag: i.Track.Tag, Digest: string(i.Track.Digest)},
		})
	}
	return doc
}

// document names the password's file where there is one: a path is no secret,
// and what is written can then be loaded again.
func (reg Registry) document() registryDoc {
	doc := registryDoc{Name: reg.Name, Username: reg.Username, PasswordFile: reg.PasswordFile, PlainHTTP: reg.PlainHTTP}
	if reg.PasswordFile == "" {
		doc.Password = reg.Password
	}
	return doc
}
