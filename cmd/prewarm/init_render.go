package main

import (
	_ "embed" // for the first configuration
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/prewarm/prewarm/internal/app"
)

// firstPlan is what a first configuration is made of.
type firstPlan struct {
	Listen string
	State  string // absolute
	Hosts  []firstHost
	Images []firstImage
	Plain  []string // registries that speak HTTP without TLS
	Tokens []firstToken
	// Certificates is the folder of those for engines behind tcp; empty: there is none.
	Certificates string
}

type firstHost struct {
	Name     string    `json:"name"`
	Endpoint string    `json:"endpoint"`
	TLS      *firstTLS `json:"tls,omitempty"` // nil: it needs none
}

// firstTLS are files, by their absolute paths.
type firstTLS struct {
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

type firstImage struct {
	app.NamedImage
	Login string // where the registry's login comes from, or nothing
}

type firstToken struct {
	Name, Scope, Why string
	File             string // its name, beside the configuration
	Secret           string
}

//go:embed init.yaml.tmpl
var firstConfiguration string

// render writes the configuration.
func (p firstPlan) render() ([]byte, error) {
	t, err := template.New("prewarm.yaml").Funcs(template.FuncMap{"yaml": yamlText}).Parse(firstConfiguration)
	if err != nil {
		return nil, fmt.Errorf("read the template of the configuration: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return []byte(b.String()), nil
}

// bareText needs no quotes in YAML, in a flow or out of it. Numbers do, so that
// the tag 1.10 is none.
var bareText = regexp.MustCompile(`^[A-Za-z/](?:[A-Za-z0-9_./@-]|:[A-Za-z0-9/])*$|^\d+\.\d+\.\d+\.\d+:\d+$`)

// bareWords are no text, whatever they look like.
var bareWords = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)

func yamlText(text string) (string, error) {
	if bareText.MatchString(text) && !bareWords.MatchString(text) {
		return text, nil
	}
	// JSON is YAML, but for what JSON writes of <, > and & for the sake of HTML:
	// YAML knows \u, too.
	b, err := json.Marshal(text)
	return string(b), err
}
