package config

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Redacted is the effective configuration as YAML: what was written, the
// defaults, and nothing of a secret but "***". Load accepts it, unless a token
// or a webhook's secret was written in the configuration itself: "***" is too
// short for one. Where nothing was secret, it loads as the same configuration,
// but for HostsFile: its hosts are written among the others.
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
	doc := document{
		Server: c.Server.document(),
		Auth:   c.Auth.document(),
		State:  stateDoc{Path: c.State.Path, Keep: durationText(c.State.Keep)},
		Limits: fleetDoc{Pulls: c.Limits.Pulls, Rate: rateText(c.Limits.Rate)},
		Prune:  c.Prune.document(),
		Runner: c.Runner.document(),
	}
	for _, reg := range c.Registries {
		doc.Registries = append(doc.Registries, reg.document())
	}
	for _, h := range c.Hosts {
		doc.Hosts = append(doc.Hosts, h.document())
	}
	for _, i := range c.Images {
		doc.Images = append(doc.Images, i.document())
	}
	for _, h := range c.Webhooks {
		doc.Webhooks = append(doc.Webhooks, h.document())
	}
	for _, n := range c.Notify {
		doc.Notify = append(doc.Notify, n.document())
	}
	return doc
}

// document names the password's file where there is one: a path is no secret,
// and what is written can then be loaded again.
func (reg Registry) document() registryDoc {
	doc := registryDoc{
		Name: reg.Name, Username: reg.Username, PasswordFile: reg.PasswordFile, PlainHTTP: reg.PlainHTTP,
		CAFile: reg.CAFile, CertFile: reg.CertFile, KeyFile: reg.KeyFile,
		Rate: rateText(reg.Rate), Pulls: reg.Pulls, Mirror: reg.Mirror, Seed: reg.Seed,
	}
	if reg.PasswordFile == "" {
		doc.Password = reg.Password
	}
	return doc
}

func (h Host) document() hostDoc {
	return hostDoc{
		Name: h.Name, Endpoint: h.Endpoint, Aliases: h.Aliases, Insecure: h.Insecure, Labels: h.Labels,
		TLS: (*tlsDoc)(h.TLS), SSH: (*sshDoc)(h.SSH),
		Limits: limitsDoc{Pulls: h.Limits.Pulls, Runs: h.Limits.Runs}, Disk: h.Disk.document(), Env: h.Env, Binds: h.Binds,
	}
}

func (i Image) document() imageDoc {
	doc := imageDoc{
		Name: i.Name, Repository: i.Repository.String(), Track: i.Track.document(), Hosts: i.Hosts, Watch: i.Watch.String(),
		Windows: windowDocs(i.Windows), Verify: i.Verify.document(), Promote: i.Promote.document(), Retag: i.Retag, Keep: i.Keep,
		Prune: i.Prune.document(), Run: i.Run.document(),
	}
	if i.Cooldown > 0 {
		doc.Cooldown = durationText(i.Cooldown)
	}
	if i.Approve {
		doc.Approve = approveWord
	}
	return doc
}
