package config

import (
	"github.com/spf13/viper"

	"github.com/prewarm/prewarm/internal/problem"
)

// delimiter joins viper's keys. The default dot would split a key such as
// ghcr.io and lose its value.
const delimiter = "::"

// Config is a configuration without mistakes, complete with its defaults.
type Config struct {
	Server     Server
	State      State
	Registries []Registry
	Hosts      []Host
	Images     []Image
}

const (
	defaultListen = "127.0.0.1:8470"
	defaultState  = "/var/lib/prewarm"
)

// defaults are the values of the keys outside of lists, by viper's name. A key
// without one would be invisible to viper when only the environment sets it.
func defaults() map[string]any {
	return map[string]any{
		"server::listen": defaultListen,
		"state::path":    defaultState,
		"registries":     []any{},
		"hosts":          []any{},
		"images":         []any{},
	}
}

// Default is the configuration of an installation that says nothing: it listens
// and keeps state, and has neither hosts nor images.
func Default() *Config {
	return &Config{Server: Server{Listen: defaultListen}, State: State{Path: defaultState}}
}

// Load reads the configuration file at path and lays over it what environ, a
// list of NAME=value as os.Environ gives it, says in PREWARM_ variables. With an
// empty path there is no file, and relative paths count from the working
// directory instead of the file's folder. Secret files are read here.
//
// What is wrong comes as Mistakes, all of it at once; it unwraps to a
// *problem.Error with code problem.InvalidConfig.
func Load(path string, environ []string) (*Config, error) {
	r := newReader(path)
	over := r.readEnviron(environ)
	file := r.readFile(path)
	doc, err := merge(file, over)
	if err != nil {
		return nil, err
	}
	config := r.build(doc)
	if len(r.found) > 0 {
		return nil, r.found.sorted()
	}
	return config, nil
}

// merge lays the environment's values over the file's over the defaults.
func merge(file, over map[string]any) (document, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	for key, value := range defaults() {
		v.SetDefault(key, value)
	}
	err := v.MergeConfigMap(file)
	for key, value := range over {
		v.Set(key, value)
	}
	var doc document
	if err == nil {
		err = v.UnmarshalExact(&doc)
	}
	if err != nil {
		// The walk lets nothing through that could fail here, and the decoder's
		// own words hold values, secrets among them.
		return document{}, problem.New(problem.Internal, "decode configuration: what was read does not fit its own types", "report this as a fault of Prewarm")
	}
	return doc, nil
}

// build checks every section and makes the typed configuration.
func (r *reader) build(doc document) *Config {
	config := &Config{
		Server:     r.server(doc.Server),
		State:      r.state(doc.State),
		Registries: r.registries(doc.Registries),
		Hosts:      r.hosts(doc.Hosts),
	}
	config.Images = r.images(doc.Images, config.Hosts)
	return config
}
