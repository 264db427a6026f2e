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
	first, second := engineConfig(a, f.Registry.Addr), engineConfig(b, f.Registry.Addr)
	for _, key := range []string{"data-root", "cgroup-parent"} {
		if first[key] == second[key] {
			t.Errorf("both have %s %v", key, first[key])
		}
	}
	if x, y := strings.Join(a.engine.argv, " "), strings.Join(b.engine.argv, " "); x == y || !strings.Contains(x, a.engine.dir) {
		t.Errorf("both run %s", x)
	}
}
