package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// cacheVersion is of the registry that is the cache. Debian's 2.8 won't do: as a
// cache it asks upstream twice for each blob that it lacks, for its client and
// for itself.
const cacheVersion = "v3.1.2"

// cacheProgram builds that registry, once: it takes five minutes of a core.
func (r *rig) cacheProgram(ctx context.Context) (string, error) {
	caches, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the registry: %w", err)
	}
	dir := filepath.Join(caches, "prewarm-tools", "registry-"+cacheVersion)
	program := filepath.Join(dir, "registry")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for the registry: %w", err)
	}
	fmt.Fprintf(r.log, "building the registry %s, which is the cache\n", cacheVersion)
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/distribution/distribution/v3/cmd/registry@"+cacheVersion)
	cmd.Dir = dir // outside of this module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the registry %s: %w\n%s", cacheVersion, err, out)
	}
	return program, nil
}

// pullCache is a pull-through cache on the hosts' network.
type pullCache struct {
	addr string
	cmd  *exec.Cmd
}

const cacheConfig = `version: "0.1"
log: {level: error}
http: {addr: %q}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
proxy: {remoteurl: "http://%s", ttl: 168h}
`

// newCache starts a cache, empty, of a registry without TLS and accounts.
func (r *rig) newCache(ctx context.Context, upstream *fleet.Registry) (*pullCache, error) {
	program, err := r.cacheProgram(ctx)
	if err != nil {
		return nil, err
	}
	bridge, _, err := net.SplitHostPort(r.fleet.Registry.Addr)
	if err != nil {
		return nil, fmt.Errorf("start the cache: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(bridge, "0"))
	if err != nil {
		return nil, fmt.Errorf("start the cache: %w", err)
	}
	c := &pullCache{addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("start the cache: %w", err)
	}
	file := filepath.Join(r.dir, "cache.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, cacheConfig, c.addr, filepath.Join(r.dir, "cache"), upstream.Addr), 0o600); err != nil {
		return nil, fmt.Errorf("start the cache: %w", err)
	}
	var said strings.Builder
	c.cmd = exec.Command(program, "serve", file)
	c.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	c.cmd.Stderr = &said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cache: %w", err)
	}
	if err := c.awaitServing(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, said.String()), c.close())
	}
	return c, nil
}

func (c *pullCache) awaitServing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if resp, err := http.Get("http://" + c.addr + "/v2/"); err == nil {
			return resp.Body.Close()
		}
		if err := pause(ctx, lookPause); err != nil {
			return fmt.Errorf("the cache does not serve: %w", err)
		}
	}
}

// close ends the cache. What it keeps goes with the rig.
func (c *pullCache) close() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("end the cache: %w", err)
	}
	_ = c.cmd.Wait() // it was killed
	return nil
}
