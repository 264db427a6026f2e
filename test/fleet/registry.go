package fleet

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// Registry is Debian's docker-registry. A fleet's own one speaks plain HTTP
// and has no accounts; AddRegistry makes others. Its storage is in the fleet's
// folder.
type Registry struct {
	// Addr is host:port, the same for this machine and for every host.
	Addr string
	// CAFile is the authority that signed its certificate; empty without TLS.
	CAFile string
	// Accounts are its users with their passwords; none is open to all.
	Accounts map[string]string
	// Gate stands before it; nil where there is none.
	Gate *Gate

	daemon daemon

	mu      sync.Mutex // serves program, and makes it compiled only once
	program []byte     // the test program, compiled; nil until it is asked for
}

func newRegistry(s state) *Registry {
	addr := s.Registry.String()
	return &Registry{Addr: addr, daemon: registryDaemon(s, "registry", "tcp", addr)}
}

// registryDaemon is a registry that listens at an address: of a unix socket
// where it stands behind a gate, so that nobody gets around that.
func registryDaemon(s state, name, network, addr string) daemon {
	dir := filepath.Join(s.Dir, name)
	return daemon{
		name: name,
		mark: s.mark() + "/" + mark(name),
		dir:  dir,
		argv: []string{lookIn(searchPath(), "docker-registry"), "serve", filepath.Join(dir, "config.yml")},
		env:  s.authority().trusted(),
		ping: "http://registry/", // answers also where /v2/ wants an account
		dial: dialTo(network, addr),
	}
}

// registryConfig is a registry's configuration, as JSON, which is YAML too.
// Deleting is allowed, so that tests can let a digest vanish upstream. extra
// adds sections.
func registryConfig(network, addr, data string, extra map[string]any) map[string]any {
	config := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "warn"},
		"http":    map[string]any{"net": network, "addr": addr},
		"storage": map[string]any{
			"filesystem": map[string]any{"rootdirectory": data},
			"delete":     map[string]any{"enabled": true},
		},
	}
	maps.Copy(config, extra)
	return config
}

func (r *Registry) dataDir() string { return filepath.Join(r.daemon.dir, "data") }

// create makes the folder and the configuration of a registry without extras.
func (r *Registry) create() error { return r.createAt("tcp", r.Addr, nil) }

func (r *Registry) createAt(network, addr string, extra map[string]any) error {
	if err := os.MkdirAll(r.dataDir(), 0o700); err != nil {
		return fmt.Errorf("create %s: %w", r.daemon.name, err)
	}
	return writeJSON(filepath.Join(r.daemon.dir, "config.yml"), registryConfig(network, addr, r.dataDir(), extra))
}

// Start starts the registry on the address and the data it had, and waits
// until it serves. A running one is left as it is.
func (r *Registry) Start(ctx context.Context) error { return r.daemon.start(ctx) }

// Stop ends the registry: connections to it are refused until Start. Before a
// registry with a Gate, that answers 502 instead.
func (r *Registry) Stop() error { return r.daemon.stop() }
