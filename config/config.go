package config

import (
	"slices"

	"github.com/spf13/viper"

	"github.com/prewarm/prewarm/internal/problem"
)

// delimiter joins viper's keys. The default dot would split a key such as
// ghcr.io and lose its value.
const delimiter = "::"

// Config is a configuration without mistakes, complete with its defaults.
type Config struct {
	Server     Server
	Auth       Auth
	State      State
	Limits     FleetLimits
	Registries []Registry
	// Hosts are those of the configuration, then those of HostsFile.
	Hosts     []Host
	HostsFile string // absolute; empty when none is named
	Images    []Image
	Prune     Prune
	Runner    Runner
	Webhooks  []Webhook
	Notify    []Notify

	origin origin
	// held is what the files that it names held, by their paths.
	held map[string]sum
}

const (
	defaultListen = "127.0.0.1:8470"
	defaultFolder = "/var/lib/prewarm"
)

// defaults are the values of the keys outside of lists, by viper's name. A key
// without one would be invisible to viper when only the environment sets it.
func defaults() map[string]any {
	return map[string]any{
		"server::listen":            defaultListen,
		"server::public_url":        "",
		"server::tls::cert":         "",
		"server::tls::key":          "",
		"server::tls::client_ca":    "",
		"server::insecure":          false,
		"server::link_life":         "",
		"server::limits::rate":      "",
		"server::limits::followers": 0,

		"auth::tokens":       []any{},
		"auth::certificates": []any{},

		"state::path":   defaultFolder,
		"state::keep":   "",
		"limits::pulls": 0,
		"limits::rate":  "",
		"registries":    []any{},
		"hosts":         []any{},
		"hosts_file":    "",
		"images":        []any{},
		"webhooks":      []any{},
		"notify":        []any{},

		"prune::schedule":     "",
		"prune::windows":      []any{},
		"prune::min_age":      "",
		"prune::unused_for":   "",
		"prune::keep_min":     0,
		"prune::protect":      []any{},
		"prune::unmanaged":    "",
		"prune::max_removals": 0,
		"prune::dry_run":      false,
		"prune::hosts":        []any{},

		"runner::grace":           "",
		"runner::queue":           0,
		"runner::unclaimed":       "",
		"runner::keep":            "",
		"runner::max_result":      "",
		"runner::logs::cap":       "",
		"runner::logs::keep":      "",
		"runner::logs::total":     "",
		"runner::forward":         []any{},
		"runner::secret_key_file": "",

		"runner::policy::privileged":      false,
		"runner::policy::host_namespaces": false,
		"runner::policy::bind_mounts":     []any{},
		"runner::policy::volumes":         []any{},
		"runner::policy::networks":        []any{},
		"runner::policy::cap_add":         []any{},
		"runner::policy::devices":         []any{},
		"runner::policy::security_opt":    []any{},
		"runner::policy::sysctls":         []any{},
		"runner::policy::secret_files":    []any{},
	}
}

// Default is the configuration of an installation that says nothing: it listens
// and keeps state, and has neither hosts nor images.
func Default() *Config {
	return &Config{Server: defaultServer(), State: defaultState(), Prune: defaultPrune(), Runner: defaultRunner()}
}

// Load reads the configuration file at path and lays over it what environ, a
// list of NAME=value as os.Environ gives it, says in PREWARM_ variables. With an
// empty path there is no file, and relative paths count from the working
// directory instead of the file's folder. The files of hosts, secrets and
// certificates that it names are read here, too.
//
// What is wrong comes as Mistakes, all of it at once; it unwraps to a
// *problem.Error with code problem.InvalidConfig.
func Load(path string, environ []string) (*Config, error) {
	config, _, err := origin{path: path, environ: slices.Clone(environ)}.load()
	return config, err
}

// read gives the reader too: what it found wrong, and which files it read. Where
// anything is wrong, the configuration is not to be used.
func read(path string, environ []string) (*reader, *Config, error) {
	r := newReader(path, homeOf(environ))
	over := r.readEnviron(environ)
	file := r.readDocument(path)
	doc, err := unmarshal[document](file, over, defaults())
	if err != nil {
		return nil, nil, err
	}
	config, err := r.build(doc)
	return r, config, err
}

// unmarshal lays the environment's values over the file's over the defaults.
func unmarshal[T any](file, over, defaults map[string]any) (doc T, err error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	err = v.MergeConfigMap(file)
	for key, value := range over {
		v.Set(key, value)
	}
	if err == nil {
		err = v.UnmarshalExact(&doc)
	}
	if err != nil {
		// The walk lets nothing through that could fail here, and the decoder's
		// own words hold values, secrets among them.
		return doc, problem.New(problem.Internal, "decode configuration: what was read does not fit its own types", "report this as a fault of Prewarm")
	}
	return doc, nil
}

// build checks every section and makes the typed configuration.
func (r *reader) build(doc document) (config *Config, err error) {
	server := r.server(doc.Server)
	config = &Config{
		Server:     server,
		Auth:       r.auth(doc.Auth, server),
		State:      r.state(doc.State),
		Registries: r.registries(doc.Registries),
		Limits:     r.fleetLimits(doc.Limits),
		Runner:     r.runner(doc.Runner),
		Webhooks:   r.webhooks(doc.Webhooks),
		Notify:     r.notify(doc.Notify),
		held:       r.held,
	}
	if config.Hosts, config.HostsFile, err = r.fleet(doc); err != nil {
		return nil, err
	}
	config.Images = r.images(doc.Images, config.Hosts, config.Runner.Policy)
	config.Prune = r.prune(doc.Prune, config.Hosts)
	return config, nil
}
