package fleet

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func aState(dir string) state {
	return state{
		ID: newID(), Dir: dir, Hosts: 2,
		Owner:    process{PID: 7, Start: 9},
		Subnet:   netip.MustParsePrefix("10.3.4.0/24"),
		Registry: netip.MustParseAddrPort("10.3.4.1:5000"),
	}
}

func TestAStateIsReadAsItWasSaved(t *testing.T) {
	t.Parallel()
	want := aState(t.TempDir())
	want.Each = []HostOptions{{}, {Engine: Engine29, TLS: MutualTLS, SSH: true}}
	if err := want.save(); err != nil {
		t.Fatal(err)
	}
	got, err := readState(want.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

func TestReadStateRefuses(t *testing.T) {
	t.Parallel()
	if _, err := readState(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	for _, content := range []string{"", "{", "{}", `{"id": 5}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := readState(dir); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q was read as %v, %v", content, s, err)
		}
	}
}

func TestAbandoned(t *testing.T) {
	t.Parallel()
	me, err := self()
	if err != nil {
		t.Fatal(err)
	}
	dead := process{PID: me.PID, Start: me.Start - 1}
	running := mark(newID())
	sleeper(t, (running + "/etl-1").environ())
	for _, tc := range []struct {
		name string
		s    state
		want bool
	}{
		{"owner lives", state{ID: "x", Owner: me}, false},
		{"owner ended", state{ID: string(running), Owner: dead}, true},
		{"detached, running", state{ID: string(running), Owner: dead, Detached: true}, false},
		{"detached, nothing runs", state{ID: newID(), Owner: dead, Detached: true}, true},
		{"detached, about to start", state{ID: newID(), Owner: me, Detached: true}, false},
	} {
		if got := tc.s.abandoned(); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
