package fleet

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
)

// freeSubnet picks a /24 of 10.0.0.0/8 to which this machine has no route.
// Call it with the index locked: the route of a fleet appears with its bridge.
func freeSubnet() (netip.Prefix, error) {
	table, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read routes: %w", err)
	}
	routes, err := parseRoutes(string(table))
	if err != nil {
		return netip.Prefix{}, err
	}
	return pickSubnet(routes, rand.Uint32)
}

// pickSubnet tries candidates until one overlaps no route. Random ones, not
// the first free one: a virtual private network may appear while a fleet is
// up, and low numbers are what people choose by hand.
func pickSubnet(routes []netip.Prefix, random func() uint32) (netip.Prefix, error) {
	for range 1000 {
		n := random()
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 24)
		if !overlapsAny(candidate, routes) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, errors.New("find a subnet for the fleet: every one tried in 10.0.0.0/8 is routed already")
}

func overlapsAny(p netip.Prefix, routes []netip.Prefix) bool {
	for _, r := range routes {
		if r.Overlaps(p) {
			return true
		}
	}
	return false
}

// parseRoutes reads /proc/net/route: a header, then per route the interface,
// the destination and, in the eighth column, the mask, as little-endian hex.
// The default route is left out, since it overlaps everything.
func parseRoutes(table string) ([]netip.Prefix, error) {
	var routes []netip.Prefix
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 8 {
			continue
		}
		dest, err := hexAddr(f[1])
		if err != nil {
			return nil, fmt.Errorf("read route %q: %w", line, err)
		}
		mask, err := hexAddr(f[7])
		if err != nil {
			return nil, fmt.Errorf("read route %q: %w", line, err)
		}
		if bits := maskBits(mask); bits > 0 {
			routes = append(routes, netip.PrefixFrom(dest, bits))
		}
	}
	return routes, nil
}

func hexAddr(s string) (netip.Addr, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 4 {
		return netip.Addr{}, fmt.Errorf("address %q: want 8 hex digits", s)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], binary.LittleEndian.Uint32(raw))
	return netip.AddrFrom4(b), nil
}

func maskBits(mask netip.Addr) int {
	b := mask.As4()
	n := binary.BigEndian.Uint32(b[:])
	bits := 0
	for ; n&(1<<31) != 0; n <<= 1 {
		bits++
	}
	return bits
}
