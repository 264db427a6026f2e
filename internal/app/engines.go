package app

import (
	"fmt"
	"log/slog"
	"reflect"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/docker"
	"github.com/prewarm/prewarm/registry"
)

// engines are the clients of the configured hosts. A host whose entry says the
// same after a reload keeps its client, and with it what is under way.
type engines struct {
	instance   string
	registries *registry.Client
	mirror     func(registry.Repository) (registry.Repository, bool)
	log        *slog.Logger
	byName     map[string]engine
}

// engine is a client with the entry that it was made of.
type engine struct {
	*docker.Host
	entry config.Host
}

func newEngines(instance string, registries *registry.Client, mirror func(registry.Repository) (registry.Repository, bool), log *slog.Logger) *engines {
	return &engines{instance: instance, registries: registries, mirror: mirror, log: log, byName: make(map[string]engine)}
}

// use makes the clients of a configuration's hosts; none is dialled yet. After
// an error everything is as before.
func (e *engines) use(hosts []config.Host) error {
	next := make(map[string]engine, len(hosts))
	for _, h := range hosts {
		if old, ok := e.byName[h.Name]; ok && sameEngine(old.entry, h) {
			next[h.Name] = engine{Host: old.Host, entry: h}
			continue
		}
		made, err := docker.New(dockerOptions(h, e))
		if err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
		next[h.Name] = engine{Host: made, entry: h}
	}
	for name, old := range e.byName {
		if next[name].Host != old.Host {
			old.Close() // runs that go on there keep their connections
		}
	}
	e.byName = next
	return nil
}

// sameEngine tells whether two entries reach an engine in the same way: labels
// and limits don't matter.
func sameEngine(a, b config.Host) bool {
	return a.Name == b.Name && a.Endpoint == b.Endpoint && a.Insecure == b.Insecure &&
		reflect.DeepEqual(a.TLS, b.TLS) && reflect.DeepEqual(a.SSH, b.SSH)
}

func (e *engines) close() {
	for _, h := range e.byName {
		h.Close()
	}
}

func dockerOptions(h config.Host, e *engines) docker.Options {
	o := docker.Options{
		Name: h.Name, Instance: e.instance, Endpoint: h.Endpoint, Insecure: h.Insecure,
		Credentials: e.registries.Credentials, Mirror: e.mirror, Logger: e.log,
	}
	if h.TLS != nil {
		o.TLS = &docker.TLS{CA: h.TLS.CA, Cert: h.TLS.Cert, Key: h.TLS.Key, ServerName: h.TLS.ServerName}
	}
	if h.SSH != nil {
		o.SSH = &docker.SSH{KeyFile: h.SSH.KeyFile, KnownHosts: h.SSH.KnownHosts}
	}
	return o
}
