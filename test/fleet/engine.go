package fleet

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// Engine is which Docker Engine a host runs.
type Engine int

// The engines that a host can have. They differ most in how they store images:
// a real team has both stores, on one network.
const (
	// Debian is this machine's docker.io: 20.10 on Debian 12, with the classic
	// image store.
	Debian Engine = iota
	// Engine29 is a current engine with the containerd image store, the default
	// of a new installation since version 29. BuildEngine29 makes it.
	Engine29
	// Engine29Classic is the same engine with the classic image store, as after
	// an upgrade from an older one.
	Engine29Classic
)

// String is what a reader calls the engine.
func (e Engine) String() string {
	switch e {
	case Debian:
		return "Debian's engine"
	case Engine29:
		return "engine 29"
	case Engine29Classic:
		return "engine 29 with the classic store"
	}
	return "engine " + strconv.Itoa(int(e))
}

// path is the PATH of the engine: its own programs first, since it takes
// containerd, runc and docker-proxy from there.
func (e Engine) path() string {
	if e == Debian {
		return searchPath()
	}
	dir, err := engine29Dir()
	if err != nil {
		return searchPath() // require has refused such a fleet
	}
	return dir + string(filepath.ListSeparator) + searchPath()
}

// settings are what the engine's kind adds to a host's daemon.json.
func (e Engine) settings() map[string]any {
	if e == Engine29Classic {
		return map[string]any{"features": map[string]bool{"containerd-snapshotter": false}}
	}
	return nil
}

// check refuses an engine that is not there to run.
func (e Engine) check() error {
	switch e {
	case Debian:
		return nil
	case Engine29, Engine29Classic:
		return checkEngine29()
	}
	return fmt.Errorf("start a fleet: there is no %s", e)
}
