//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// enrolledHost is what host enroll says to programs, in part.
type enrolledHost struct {
	CA, Cert, Key string
	EngineDir     string `json:"engine_dir"`
	Findings      []finding
}

// prewarm runs a command line that needs no server, and gives what it says.
func prewarm(t *testing.T, code int, args ...string) string {
	t.Helper()
	r := finish(t, exec.CommandContext(t.Context(), binary, args...))
	if r.code != code || strings.Contains(r.String(), "PRIVATE") {
		t.Errorf("prewarm %v: want code %d, and no key: %s", args, code, r)
	}
	return r.stdout
}

// install brings what was enrolled to where the engine has its certificates, and
// restarts it.
func install(t *testing.T, h *fleet.Host, e enrolledHost) {
	t.Helper()
	for from, to := range map[string]string{"ca.pem": "ca.pem", "server-cert.pem": "server.pem", "server-key.pem": "server-key.pem"} {
		b, err := os.ReadFile(filepath.Join(e.EngineDir, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.CertDir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// failedChecks are those that failed, in order.
func failedChecks(told []finding) []string {
	var failed []string
	for _, f := range told {
		if f.Level != "ok" {
			failed = append(failed, f.Check)
		}
	}
	return failed
}

// A real engine with the certificates that were made for it is open to Prewarm
// and to nobody else; what is wrong with others is told.
func TestEnroll(t *testing.T) {
	t.Parallel()
	secure := fleet.HostOptions{TLS: fleet.MutualTLS}
	f, repo := ownFleet(t, secure, secure, fleet.HostOptions{TLS: fleet.ServerTLS}, fleet.HostOptions{}), repo(t)
	one, two, careless, open := f.Hosts[0], f.Hosts[1], f.Hosts[2], f.Hosts[3]
	dir := filepath.Join(t.TempDir(), "ca")
	enrolled := make(map[*fleet.Host]enrolledHost)
	endpoint := func(h *fleet.Host) string { return "tcp://" + h.Addr + ":2376" }
	for _, h := range f.Hosts {
		out := prewarm(t, 0, "host", "enroll", h.Name, "--endpoint", endpoint(h), "--dir", dir, "-o", "json")
		enrolled[h] = decode[enrolledHost](t, out)
		if h.CertDir != "" {
			install(t, h, enrolled[h])
		}
	}
	check := func(h *fleet.Host, code int) []finding {
		t.Helper()
		var d struct{ Findings []finding }
		if err := json.Unmarshal([]byte(prewarm(t, code, "host", "check", h.Name, "--endpoint", endpoint(h), "--dir", dir, "-o", "json")), &d); err != nil {
			t.Fatal(err)
		}
		if len(d.Findings) != 6 {
			t.Errorf("%s: %+v", h.Name, d.Findings)
		}
		return d.Findings
	}
	for _, c := range []struct {
		host *fleet.Host
		want []string
	}{
		{one, nil},
		{two, nil},
		{careless, []string{"no certificate", "a stranger's certificate"}},
		{open, []string{"our certificate", "its certificate", "no certificate", "a stranger's certificate", "plain tcp, port 2375"}},
	} {
		told := check(c.host, min(len(c.want), 1))
		if got := failedChecks(told); !slices.Equal(got, c.want) {
			t.Errorf("%s: failed: %q, want %q: %+v", c.host.Name, got, c.want, told)
		}
	}
	client := func(h *fleet.Host, with enrolledHost) string {
		out, _ := exec.CommandContext(t.Context(), "docker", "--tlsverify", "--tlscacert", with.CA, "--tlscert", with.Cert, "--tlskey", with.Key,
			"-H", endpoint(h), "version", "--format", "{{.Server.Version}}").CombinedOutput()
		return string(out)
	}
	if out := client(one, enrolled[one]); !strings.HasPrefix(out, "20.10") {
		t.Errorf("docker's own client is told %q", out)
	}
	if out := client(two, enrolled[one]); !strings.Contains(out, "bad certificate") && !strings.Contains(out, "unknown") {
		t.Errorf("the key of one host at another: %q", out)
	}

	digest := pushTo(t, f.Registry, repo+":latest", fleet.ProgramImage("one"))
	setup := prewarmtest.SetupOf(f, "", "")
	setup.Hosts = nil
	for _, h := range []*fleet.Host{one, two} {
		e := enrolled[h]
		setup.Hosts = append(setup.Hosts, fmt.Sprintf("{name: %s, endpoint: %q, tls: {ca: %s, cert: %s, key: %s}}", h.Name, endpoint(h), e.CA, e.Cert, e.Key))
	}
	setup.Images = []string{"{name: jobs, repository: " + f.Registry.Addr + "/" + repo + ", watch: '@every 1s'}"}
	b := newBenchOf(t, setup)
	b.allWarm(digest)
	b.cli("run", "jobs", "--", "exit", "42").expect(t, 42)
	b.mustCLI("host", "check", one.Name, "-c", b.configFile())

	t.Run("renewed before its end", func(t *testing.T) {
		prewarm(t, 0, "host", "enroll", one.Name, "--endpoint", endpoint(one), "--dir", dir, "--renew", "--days", "9")
		if got := failedChecks(check(one, 0)); got != nil {
			t.Errorf("before the engine has its new one: %q", got)
		}
		install(t, one, enrolled[one])
		told := decode[struct{ Findings []finding }](t, b.mustCLI("doctor", "-c", b.configFile(), "-o", "json")).Findings
		for _, want := range []finding{
			{"warn", "host " + one.Name, "our certificate", "in 8 days", "prewarm host enroll " + one.Name + " --endpoint " + endpoint(one) + " --dir " + dir + " --renew"},
			{"warn", "host " + one.Name, "its certificate", "in 8 days", "restart the engine"},
			{"ok", "host " + one.Name, "its authority", "good until", ""},
			{"ok", "host " + two.Name, "our certificate", "good until", ""},
			{"ok", "host " + two.Name, "its certificate", "good until", ""},
		} {
			if !slices.ContainsFunc(told, want.isIn) {
				t.Errorf("nothing tells of %+v in %+v", want, told)
			}
		}
		b.awaitState(one.Name, "warm")
		b.cli("run", "jobs", "--", "exit", "42").expect(t, 42)
	})
}
