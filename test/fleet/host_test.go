package fleet

import (
	"strings"
	"testing"
)

func TestHostsShareNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(aState("/tmp/f"))
	if len(f.Hosts) != 2 || f.Registry.Addr != "10.3.4.1:5000" {
		t.Fatalf("%d hosts, registry %s", len(f.Hosts), f.Registry.Addr)
	}
	a, b := f.Hosts[0], f.Hosts[1]
	if a.Name != "etl-1" || a.TCP != "tcp://10.3.4.11:2375" || a.Socket != "unix:///tmp/f/etl-1/docker.sock" {
		t.Errorf("host %+v", a)
	}
	first, second := engineConfig(a, bridgeAddr(f.state.Subnet)), engineConfig(b, bridgeAddr(f.state.Subnet))
	for _, key := range []string{"data-root", "cgroup-parent"} {
		if first[key] == second[key] {
			t.Errorf("both have %s %v", key, first[key])
		}
	}
	if x, y := strings.Join(a.engine.argv, " "), strings.Join(b.engine.argv, " "); x == y || !strings.Contains(x, a.engine.dir) {
		t.Errorf("both run %s", x)
	}
}

func TestAHostIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := aState("/tmp/f")
	s.Hosts, s.Each = 4, []HostOptions{{TLS: MutualTLS}, {TLS: ServerTLS, Engine: Engine29Classic}, {SSH: true}}
	f := newFleet(s)
	addr := bridgeAddr(s.Subnet)
	mutual, server, reached, plain := f.Hosts[0], f.Hosts[1], f.Hosts[2], f.Hosts[3]
	for _, tc := range []struct {
		h           *Host
		tcp         string
		tls, verify any
	}{
		{mutual, "tcp://10.3.4.11:2376", true, true},
		{server, "tcp://10.3.4.12:2376", true, false},
		{reached, "tcp://10.3.4.13:2375", false, nil},
		{plain, "tcp://10.3.4.14:2375", false, nil},
	} {
		config := engineConfig(tc.h, addr)
		if tc.h.TCP != tc.tcp || config["tls"] != tc.tls || config["tlsverify"] != tc.verify {
			t.Errorf("%s: %s, tls %v, tlsverify %v", tc.h.Name, tc.h.TCP, config["tls"], config["tlsverify"])
		}
		if (tc.h.CertFile() != "") != (tc.tls == true) {
			t.Errorf("%s: certificate %q", tc.h.Name, tc.h.CertFile())
		}
	}
	if config := engineConfig(server, addr); config["features"] == nil {
		t.Errorf("the classic store was not asked for: %v", config)
	}
	if config := engineConfig(plain, addr); config["features"] != nil {
		t.Errorf("the plain host has features: %v", config)
	}
	if config := engineConfig(plain, addr); config["live-restore"] != nil {
		t.Errorf("live-restore was not asked for: %v", config)
	}
	if reached.SSH == nil || reached.SSH.URL != "ssh://root@10.3.4.13:22" || plain.SSH != nil {
		t.Errorf("sshd: %+v and %+v", reached.SSH, plain.SSH)
	}
	if err := plain.RenewClient(0); err == nil {
		t.Error("a host without TLS has certificates")
	}
}
