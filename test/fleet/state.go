package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// stateFile is what makes a folder a fleet's.
const stateFile = "fleet.json"

// state is what another process must know to use a fleet or take it down.
type state struct {
	ID  string `json:"id"`
	Dir string `json:"dir"`
	// Owner is the process that started the fleet. When it has ended without
	// taking the fleet down, the next Up does, unless the fleet is detached.
	Owner    process        `json:"owner"`
	Detached bool           `json:"detached"`
	Subnet   netip.Prefix   `json:"subnet"`
	Hosts    int            `json:"hosts"`
	Each     []HostOptions  `json:"each,omitempty"`
	Registry netip.AddrPort `json:"registry"`
}

// abandoned tells whether nobody is left who would take the fleet down: its
// owner has ended, and, of a detached one, nothing runs any more.
func (s state) abandoned() bool {
	if s.Owner.alive() {
		return false
	}
	if !s.Detached {
		return true
	}
	running, err := s.mark().processes()
	return err == nil && len(running) == 0
}

// host is what host n was asked to be; the first is 1.
func (s state) host(n int) HostOptions {
	if n > len(s.Each) {
		return HostOptions{}
	}
	return s.Each[n-1]
}

// authority signs for the registries with TLS.
func (s state) authority() authority { return authority{dir: filepath.Join(s.Dir, "tls")} }

func (s state) mark() mark { return mark(s.ID) }

func (s state) save() error { return writeJSON(filepath.Join(s.Dir, stateFile), s) }

// readState reads the state of the fleet in dir. A folder that is none is
// os.ErrNotExist.
func readState(dir string) (state, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return state{}, fmt.Errorf("read fleet in %s: %w", dir, err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return state{}, fmt.Errorf("read fleet in %s: %w", dir, err)
	}
	if s.ID == "" {
		return state{}, fmt.Errorf("read fleet in %s: %s names no fleet", dir, stateFile)
	}
	return s, nil
}

// writeJSON writes a value, as writeFile does.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, append(b, '\n'))
}

// writeFile replaces a file as a whole: a reader in another process sees the
// old content or the new.
func writeFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(tmp)))
	}
	return nil
}
