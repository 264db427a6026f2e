package prewarmtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/test/fleet"
)

// Setup is a configuration in the making.
type Setup struct {
	Address string // where the server listens
	State   string // its folder
	// HostsFile is a file with further hosts; empty: none.
	HostsFile string
	// Limits are those over all, in YAML: "{rate: 100/s}"; empty: the defaults.
	Limits string
	// Prune is that section, in YAML; empty: the defaults.
	Prune string
	// Further is YAML that is appended: sections that are not named here.
	Further string
	// Server are further keys of that section, as in "public_url: https://x.test".
	Server string
	// What follows are entries of the sections of these names, in YAML.
	Registries, Hosts, Images []string
}

// SetupOf is the configuration of a fleet without images: all of its hosts and
// its registry.
func SetupOf(f *fleet.Fleet, address, state string) Setup {
	s := Setup{Address: address, State: state, Registries: []string{Registry(f.Registry)}}
	for _, h := range f.Hosts {
		s.Hosts = append(s.Hosts, Host(h))
	}
	return s
}

// Config writes a configuration for a fleet. Images are YAML lines of the
// images section.
func Config(f *fleet.Fleet, address, state string, images ...string) string {
	s := SetupOf(f, address, state)
	s.Images = images
	return s.String()
}

func (s Setup) String() string {
	var b strings.Builder
	server := []string{"listen: " + s.Address}
	if s.Server != "" {
		server = append(server, s.Server)
	}
	fmt.Fprintf(&b, "server: %s\nstate: {path: %s}\n", entry(server), s.State)
	for key, value := range map[string]string{"hosts_file": s.HostsFile, "limits": s.Limits, "prune": s.Prune} {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	section := func(name string, entries []string) {
		if len(entries) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s:\n", name)
		for _, e := range entries {
			fmt.Fprintf(&b, "  - %s\n", e)
		}
	}
	section("registries", s.Registries)
	section("hosts", s.Hosts)
	section("images", s.Images)
	b.WriteString(s.Further)
	return b.String()
}

// Host is the entry of a host, which is reached as on a network: over ssh where
// it has that, else over tcp, with TLS where it has that. Its label host is its
// own name. Keys are further ones, such as "limits: {pulls: 1}".
func Host(h *fleet.Host, keys ...string) string {
	all := []string{"name: " + h.Name}
	switch {
	case h.SSH != nil:
		all = append(all, "endpoint: "+h.SSH.URL, fmt.Sprintf("ssh: {key_file: %s, known_hosts: %s}", h.SSH.KeyFile, h.SSH.KnownHosts))
	case h.CertDir != "":
		all = append(all, "endpoint: "+h.TCP, fmt.Sprintf("tls: {ca: %s, cert: %s, key: %s}", h.CAFile(), h.CertFile(), h.KeyFile()))
	default:
		all = append(all, "endpoint: "+h.TCP, "insecure: true")
	}
	return entry(all, []string{"labels: {pool: etl, host: " + h.Name + "}"}, keys)
}

// Registry is the entry of a registry, with its authority and the first of its
// accounts. Keys are further ones, such as "mirror: 10.0.0.1:5000".
func Registry(r *fleet.Registry, keys ...string) string {
	all := []string{"name: " + r.Addr}
	if r.CAFile == "" {
		all = append(all, "plain_http: true")
	} else {
		all = append(all, "ca_file: "+r.CAFile)
	}
	if users := slices.Sorted(maps.Keys(r.Accounts)); len(users) > 0 {
		all = append(all, "username: "+users[0], "password: "+r.Accounts[users[0]])
	}
	return entry(all, keys)
}

func entry(keys ...[]string) string { return "{" + strings.Join(slices.Concat(keys...), ", ") + "}" }
