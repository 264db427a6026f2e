package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// create does what must not happen in two programs at once: it clears
// leftovers, takes a folder, a name and a subnet. From the moment the fleet is
// enlisted, whatever happens to this process, the next Up can clear up.
func create(ctx context.Context, o Options) (*Fleet, error) {
	l, err := lockDir(ctx, indexDir)
	if err != nil {
		return nil, err
	}
	defer l.unlock()
	if err := clearAbandoned(ctx, o.Dir, o.Log); err != nil {
		return nil, err
	}
	s, err := newState(o)
	if err != nil {
		return nil, err
	}
	if err := s.enlist(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.Dir))
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(err, teardown(context.WithoutCancel(ctx), s))
	}
	return newFleet(s), nil
}

// newState takes an id, a subnet and a folder.
func newState(o Options) (state, error) {
	owner, err := self()
	if err != nil {
		return state{}, err
	}
	subnet, err := freeSubnet()
	if err != nil {
		return state{}, err
	}
	dir, err := takeDir(o.Dir)
	if err != nil {
		return state{}, fmt.Errorf("use folder %q for the fleet: %w", o.Dir, err)
	}
	if err := checkDir(dir, o.Hosts); err != nil {
		return state{}, errors.Join(err, os.Remove(dir))
	}
	return state{ID: newID(), Dir: dir, Owner: owner, Detached: o.Detached, Subnet: subnet, Hosts: o.Hosts, Each: o.Each}, nil
}

// takeDir makes the folder, or takes an empty one.
func takeDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "prewarm-fleet-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil:
		return "", err
	case exists(filepath.Join(dir, stateFile)):
		return "", errors.New("a fleet is in it already")
	case len(entries) > 0:
		return "", errors.New("it is not empty, and would be removed with the fleet")
	}
	return dir, nil
}

// enlist writes the state and makes the fleet known. It fails, with nothing
// known, in the rare case that the id is taken.
func (s state) enlist() error {
	if err := s.save(); err != nil {
		return err
	}
	return enlist(s.ID, s.Dir)
}

// connect makes the fleet's bridge and chooses the registry's port on it.
func (s *state) connect(ctx context.Context) error {
	if err := createBridge(ctx, s.ID, s.Subnet); err != nil {
		return err
	}
	addr := bridgeAddr(s.Subnet)
	port, err := freePort(ctx, addr)
	if err != nil {
		return err
	}
	s.Registry = netip.AddrPortFrom(addr, port)
	return s.save()
}
