package fleet

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNamesFitTheKernel(t *testing.T) {
	t.Parallel()
	const longest = 15 // bytes of an interface's name
	id := newID()
	if got := linkName(id, maxHosts); len(got) > longest {
		t.Errorf("link %q has %d bytes", got, len(got))
	}
	if newID() == id {
		t.Errorf("two ids are equal: %s", id)
	}
}

func TestAddressesStayInTheSubnet(t *testing.T) {
	t.Parallel()
	subnet := netip.MustParsePrefix("10.3.4.0/24")
	if got := bridgeAddr(subnet).String(); got != "10.3.4.1" {
		t.Errorf("bridge is %s", got)
	}
	seen := map[netip.Addr]bool{bridgeAddr(subnet): true, secureAddr(subnet): true}
	for n := 1; n <= maxHosts; n++ {
		addr := hostAddr(subnet, n)
		if !subnet.Contains(addr) || seen[addr] || addr.As4()[3] == 255 {
			t.Errorf("host %d has %s", n, addr)
		}
		seen[addr] = true
	}
}

func TestCheckDir(t *testing.T) {
	t.Parallel()
	fits := "/" + strings.Repeat("x", maxSocketPath-len("//etl-3/docker.sock"))
	if got := len(hostSocket(fits, 3)); got != maxSocketPath {
		t.Fatalf("the test's socket has %d bytes", got)
	}
	if err := checkDir(fits, 3); err != nil {
		t.Errorf("a folder that fits: %v", err)
	}
	if err := checkDir(fits+"x", 3); err == nil || !strings.Contains(err.Error(), "1 bytes too long") {
		t.Errorf("a folder that is too long: %v", err)
	}
	if err := checkDir(fits, 10); err == nil {
		t.Error("the tenth host's name is longer, and was not counted")
	}
}
