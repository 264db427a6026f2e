package fleet

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const routeTable = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
vpn0	0000100A	00000000	0001	0	0	0	0000F0FF	0	0	0
pwab	01020A0A	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`

func TestParseRoutes(t *testing.T) {
	t.Parallel()
	got, err := parseRoutes(routeTable)
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("10.16.0.0/12"),
		netip.MustParsePrefix("10.10.2.1/32"),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	if _, err := parseRoutes("header\neth0 xyz 0 1 0 0 0 0 0 0 0\n"); err == nil {
		t.Error("a broken address was read")
	}
}

func TestPickSubnet(t *testing.T) {
	t.Parallel()
	routes, err := parseRoutes(routeTable)
	if err != nil {
		t.Fatal(err)
	}
	// Of the candidates the first two are routed: 10.17.5.0 by the /12, 10.10.2.0
	// by a single address in it.
	numbers := []uint32{17<<8 | 5, 10<<8 | 2, 200<<8 | 9}
	next := func() uint32 {
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}
	got, err := pickSubnet(routes, next)
	if err != nil || got.String() != "10.200.9.0/24" {
		t.Errorf("got %v, %v", got, err)
	}
	all := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if got, err := pickSubnet(all, func() uint32 { return 1 }); err == nil {
		t.Errorf("all is routed, yet got %v", got)
	}
}
