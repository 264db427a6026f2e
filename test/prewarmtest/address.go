package prewarmtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Where FreeAddress looks for ports: below those that systems give to listeners
// and connections that ask for any (Linux from 32768 on). One of those may be
// another's before its server listens, or while it is away between two lives.
const (
	firstPort = 20_000
	portCount = 10_000
)

// given are the ports that FreeAddress gave: who got one may not listen yet.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: make(map[int]bool)}

// FreeAddress gives a loopback address that nothing listens on.
func FreeAddress() (string, error) { return FreeAddressOn("127.0.0.1") }

// FreeAddressOn is FreeAddress for another of this machine's addresses.
func FreeAddressOn(host string) (string, error) {
	given.Lock()
	defer given.Unlock()
	var last error
	for range 100 {
		port := firstPort + rand.IntN(portCount) //nolint:gosec // chance, no secret
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		given.ports[port] = true
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("find a free port: %w", last)
}
