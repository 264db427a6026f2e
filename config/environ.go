package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const envPrefix = "PREWARM_"

// readEnviron reads the variables that set a key, by viper's name of the key.
// An empty variable is one that is not set: compose files make them.
func (r *reader) readEnviron(environ []string) map[string]any {
	variables := ours(environ)
	values := make(map[string]any)
	var names []string
	for _, s := range settings() {
		names = append(names, s.variable())
		if text := variables[s.variable()]; text != "" {
			r.over[s.path] = true
			if v := r.readVariable(s, text); v != nil {
				values[s.key()] = v
			}
		}
	}
	for name := range variables {
		r.checkVariable(name, names)
	}
	return values
}

// ours are the variables of our prefix; of one given twice the last counts.
func ours(environ []string) map[string]string {
	variables := make(map[string]string)
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			variables[name] = value
		}
	}
	return variables
}

// readVariable reads one setting: a scalar as it is, a list as YAML or JSON.
func (r *reader) readVariable(s setting, text string) any {
	defer func(source string) { r.source = source }(r.source)
	r.source = s.variable()
	r.at[s.path] = position{file: r.source}
	if s.typ.Kind() != reflect.Slice {
		return r.scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text}, s.typ, s.path)
	}
	n, refusal := parse([]byte(text))
	switch {
	case refusal != nil:
		r.at[s.path] = position{r.source, refusal.line}
		r.spoil(s.path, refusal.why, refusal.mend)
		return nil
	case isNull(n):
		r.spoil(s.path, "it holds nothing", "write [] for an empty list, or unset the variable")
		return nil
	}
	return r.walk(n, s.typ, s.path)
}

// linkVariable matches what Kubernetes and old Docker links put into the
// environment for a service that is called prewarm-something.
var linkVariable = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// checkVariable refuses a variable that was meant to set a key and does not:
// one that is nearly the name of another, or begins like one. All the rest is
// somebody else's: the client's PREWARM_URL and PREWARM_TOKEN, service links.
func (r *reader) checkVariable(name string, known []string) {
	if slices.Contains(known, name) || linkVariable.MatchString(name) || name == "PREWARM_URL" || strings.HasPrefix(name, "PREWARM_TOKEN") {
		return
	}
	mend := "known: " + strings.Join(known, ", ")
	near := nearest(name, known)
	if near != "" {
		mend = fmt.Sprintf("did you mean %s?", near)
	}
	if near != "" || slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(name, section(k)) }) {
		r.addAt(position{file: name}, "", "unknown variable", mend)
	}
}

// section is how all variables of a section begin: PREWARM_SERVER_ for
// PREWARM_SERVER_LISTEN, PREWARM_HOSTS_ for PREWARM_HOSTS.
func section(variable string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(variable, envPrefix), "_")
	return envPrefix + name + "_"
}
