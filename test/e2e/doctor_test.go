//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// finding is what doctor says in one line.
type finding struct{ Level, About, Check, What, Mend string }

// What is wrong with a fleet is told before anything is started, and the hosts
// are left as they were.
func TestDoctor(t *testing.T) {
	t.Parallel()
	f := ownFleet(t, fleet.HostOptions{TLS: fleet.MutualTLS}, fleet.HostOptions{TLS: fleet.ServerTLS}, fleet.HostOptions{SSH: true})
	closed, open, far := f.Hosts[0], f.Hosts[1], f.Hosts[2]
	private, err := f.AddRegistry(t.Context(), fleet.RegistryOptions{Name: "private", Accounts: map[string]string{"ci": "right"}})
	if err != nil {
		t.Fatal(err)
	}
	pushTo(t, f.Registry, "etl/jobs:latest", fleet.ProgramImage("one"))
	pushTo(t, private, "etl/jobs:latest", fleet.ProgramImage("one"))
	setup := prewarmtest.SetupOf(f, "127.0.0.1:0", t.TempDir())
	setup.Registries = append(setup.Registries, prewarmtest.Registry(&fleet.Registry{Addr: private.Addr, Accounts: map[string]string{"ci": "wr0ng"}}))
	setup.Images = []string{
		"{name: jobs, repository: " + f.Registry.Addr + "/etl/jobs}",
		"{name: private, repository: " + private.Addr + "/etl/jobs, hosts: {host: " + closed.Name + "}}",
	}
	file := filepath.Join(t.TempDir(), "prewarm.yaml")
	if err := os.WriteFile(file, []byte(setup.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		docker(t, closed, "volume", "create", "--label", "prewarm.instance="+id, "--label", "prewarm.marker=M", "prewarm-"+id)
	}
	if err := far.SSH.Kill(); err != nil {
		t.Fatal(err)
	}
	r := finish(t, exec.CommandContext(t.Context(), binary, "doctor", "-c", file, "-o", "json"))
	if r.code != 1 || strings.Contains(r.String(), "wr0ng") {
		t.Errorf("want code 1, and no password: %s", r)
	}
	told := decode[struct{ Findings []finding }](t, r.stdout).Findings
	for _, want := range []finding{
		{"ok", "host " + closed.Name, "reachable", "20.10", ""},
		{"ok", "host " + closed.Name, "tls", "takes ours", ""},
		{"warn", "host " + closed.Name, "shared", "one, two", "docker volume rm"},
		{"ok", "host " + closed.Name, "registry " + f.Registry.Addr, "reaches it", ""},
		{"fail", "host " + closed.Name, "registry " + private.Addr, private.Addr, ""},
		{"fail", "host " + open.Name, "tls", "without a client certificate", "--tlsverify"},
		{"fail", "host " + far.Name, "reachable", far.SSH.Addr, ""},
		{"fail", "registry " + private.Addr, "", "401", ""},
	} {
		if !slices.ContainsFunc(told, want.isIn) {
			t.Errorf("nothing tells of %+v", want)
		}
	}
	if slices.ContainsFunc(told, finding{"fail", "registry " + f.Registry.Addr, "", "", ""}.isIn) {
		t.Error("the open registry is blamed")
	}
	if t.Failed() {
		t.Logf("%+v", told)
	}
	for _, h := range f.Hosts {
		left, want := docker(t, h, "volume", "ls", "-q"), ""
		if h == closed {
			want = "prewarm-one\nprewarm-two"
		}
		if left != want {
			t.Errorf("%s has these volumes now: %q, want %q", h.Name, left, want)
		}
	}
}

// isIn tells whether a finding says what is wanted.
func (want finding) isIn(f finding) bool {
	return f.Level == want.Level && f.About == want.About && (want.Check == "" || f.Check == want.Check) &&
		strings.Contains(f.What, want.What) && strings.Contains(f.Mend, want.Mend)
}
