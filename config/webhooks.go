package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

// webhooksPath is a list that holds secrets.
const webhooksPath = "webhooks"

// Webhook is where a sender tells of pushes: POST /v1/webhooks/NAME.
type Webhook struct {
	Name string
	Kind string // of registry/webhook
	// Secrets are those accepted: the present one and, while one is exchanged, the
	// previous one. Empty: only Path tells who the sender is.
	Secrets []Secret
	// SecretFile and PreviousSecretFile are absolute, and empty where the secret
	// is in the configuration itself.
	SecretFile, PreviousSecretFile string
	// Path are the secret last parts of the address, likewise; empty: it has none.
	Path []Secret
	// PathFile and PreviousPathFile are absolute, or empty.
	PathFile, PreviousPathFile string
	// Repositories are those that the sender may speak of.
	Repositories []registry.Pattern
	// Registry stands for whatever registry the sender names; empty: what it names
	// counts.
	Registry string
	// Fields is the mapping of a generic hook; nil: the standard body.
	Fields *webhook.Fields
}

// webhookKinds are the senders that are understood.
var webhookKinds = func() []string {
	var all []string
	for _, k := range webhook.Kinds() {
		all = append(all, string(k))
	}
	return all
}()

func (r *reader) webhooks(docs []webhookDoc) []Webhook {
	var list []Webhook
	seen := make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", webhooksPath, i)
		r.checkName(seen, entry, doc.Name)
		hook := Webhook{
			Name:         doc.Name,
			Kind:         r.webhookKind(entry+".kind", doc.Kind),
			Repositories: r.repositories(entry+".repositories", doc.Repositories),
		}
		r.webhookSecrets(entry, doc, &hook)
		if r.has(entry + ".registry") {
			hook.Registry = r.registryHost(entry+".registry", doc.Registry)
		}
		hook.Fields = r.webhookFields(entry+".fields", hook.Kind, doc.Fields)
		r.checkRegistry(entry, hook)
		list = append(list, hook)
	}
	return list
}

func (r *reader) webhookKind(field, text string) string {
	if !r.has(field) {
		r.add(field, "", "it is missing", "write one of "+strings.Join(webhookKinds, ", "))
		return ""
	}
	if slices.Contains(webhookKinds, text) {
		return text
	}
	mend := "write one of " + strings.Join(webhookKinds, ", ")
	if near := nearest(text, webhookKinds); near != "" {
		mend = "did you mean " + near + "?"
	}
	r.add(field, text, "there is no such kind of sender", mend+"; any that sends JSON is generic, with fields")
	return ""
}

func (r *reader) repositories(field string, written []string) []registry.Pattern {
	const mend = "write names of repositories, as in registry.example.com/etl/*"
	switch {
	case !r.has(field):
		r.add(field, "", "it is missing", mend)
	case len(written) == 0:
		r.add(field, "", "it is empty, so that nothing would be heard", mend)
	}
	return r.protect(field, written)
}

// fieldRule matches paths into JSON, keys with dots between and [] for each entry
// of a list, and texts with such paths in braces.
var fieldRule = regexp.MustCompile(fieldPattern)

func (r *reader) webhookFields(field, kind string, doc *webhookFieldsDoc) *webhook.Fields {
	switch {
	case doc == nil || !r.has(field):
		return nil
	case kind != string(webhook.Generic) && kind != "":
		r.add(field, "", "what "+kind+" sends is known", "leave it out, or write kind: generic")
	case !r.has(field+".image") && !r.has(field+".repository") && !r.spoiledWithin(field):
		r.add(field, "", "it tells of no image", "add image, or repository with tag")
	}
	readable := true
	for _, f := range []struct{ key, text string }{
		{"image", doc.Image}, {"registry", doc.Registry}, {"repository", doc.Repository}, {"tag", doc.Tag}, {"digest", doc.Digest}, {"id", doc.ID},
	} {
		if path := join(field, f.key); r.has(path) && !fieldRule.MatchString(f.text) {
			r.add(path, f.text, "it is not a path into JSON",
				"write keys with dots between, as in detail.image-tag, [] behind a list, as in resources[].tag, or a text with paths in braces")
			readable = false
		}
	}
	fields := webhook.Fields(*doc)
	if err := fields.Check(); err != nil && readable && (fields.Image != "" || fields.Repository != "") {
		r.add(field, "", err.Error(), "let all paths go through one list")
	}
	return &fields
}

// checkRegistry reports a hook of which no registry would be known.
func (r *reader) checkRegistry(entry string, hook Webhook) {
	field := entry + ".registry"
	const mend = "write its host, as in registry.example.com:5000"
	switch {
	case r.has(field) || r.spoiledWithin(entry+".fields"):
	case hook.Kind == string(webhook.Zot):
		r.add(field, "", "it is missing, and zot does not name its own host", mend)
	case hook.Fields != nil && hook.Fields.Image == "" && hook.Fields.Registry == "" && hook.Fields.Repository != "":
		r.add(field, "", "it is missing, and fields does not tell where the registry stands", mend+", or add fields.registry")
	}
}

func (h Webhook) document() webhookDoc {
	doc := webhookDoc{
		Name: h.Name, Kind: h.Kind, SecretFile: h.SecretFile, PreviousSecretFile: h.PreviousSecretFile,
		PathSecretFile: h.PathFile, PreviousPathSecretFile: h.PreviousPathFile, Repositories: protectList(h.Repositories), Registry: h.Registry,
	}
	if len(h.Secrets) > 0 && h.SecretFile == "" {
		doc.Secret = h.Secrets[0]
	}
	if len(h.Secrets) > 1 && h.PreviousSecretFile == "" {
		doc.PreviousSecret = h.Secrets[1]
	}
	if h.Fields != nil {
		fields := webhookFieldsDoc(*h.Fields)
		doc.Fields = &fields
	}
	return doc
}
