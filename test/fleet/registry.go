package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// Registry is Debian's docker-registry, over plain HTTP and without accounts.
// Its storage is in the fleet's folder.
type Registry struct {
	// Addr is host:port, the same for this machine and for every host.
	Addr string

	daemon daemon

	mu      sync.Mutex // serves program, and makes it compiled only once
	program []byte     // the test program, compiled; nil until it is asked for
}

func newRegistry(s state) *Registry {
	dir, addr := filepath.Join(s.Dir, "registry"), s.Registry.String()
	return &Registry{
		Addr: addr,
		daemon: daemon{
			name: "registry",
			mark: s.mark() + "/registry",
			dir:  dir,
			argv: []string{lookIn(searchPath(), "docker-registry"), "serve", filepath.Join(dir, "config.yml")},
			ping: "http://" + addr + "/v2/",
			dial: func(ctx context.Context) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", addr)
			},
		},
	}
}

// registryConfig is the registry's configuration. Deleting is allowed, so that
// tests can let a tag or a digest vanish upstream.
const registryConfig = `version: 0.1
log: {level: warn}
http: {addr: %q}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
`

// create makes the registry's folder and configuration.
func (r *Registry) create() error {
	data := filepath.Join(r.daemon.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("create registry: %w", err)
	}
	config := fmt.Sprintf(registryConfig, r.Addr, data)
	if err := os.WriteFile(filepath.Join(r.daemon.dir, "config.yml"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("create registry: %w", err)
	}
	return nil
}

// Start starts the registry on the address and the data it had, and waits
// until it serves. A running one is left as it is.
func (r *Registry) Start(ctx context.Context) error { return r.daemon.start(ctx) }

// Stop ends the registry: connections to it are refused until Start.
func (r *Registry) Stop() error { return r.daemon.stop() }
