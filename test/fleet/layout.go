package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
)

const (
	// DefaultHosts is how many hosts a fleet has when Options names no number.
	DefaultHosts = 3
	// maxHosts keeps every host's address within the fleet's /24.
	maxHosts = 99
	// firstHost is the last byte of the first host's address.
	firstHost = 11
	// maxSocketPath is what the kernel takes as the path of a unix socket: 108
	// bytes with the closing zero.
	maxSocketPath = 107
)

// newID makes the id from which all names of a fleet derive. It is short
// because a network interface's name has 15 bytes at most.
func newID() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

func bridgeName(id string) string { return "pw" + id }

func linkName(id string, n int) string { return fmt.Sprintf("pw%s-%d", id, n) }

func namespaceName(id, host string) string { return "pw" + id + "-" + host }

func hostName(n int) string { return fmt.Sprintf("etl-%d", n) }

func hostAddr(subnet netip.Prefix, n int) netip.Addr {
	b := subnet.Addr().As4()
	b[3] = byte(firstHost + n - 1)
	return netip.AddrFrom4(b)
}

func bridgeAddr(subnet netip.Prefix) netip.Addr { return subnet.Addr().Next() }

// secureAddr is the bridge's second address, on which registries with TLS
// listen. Engines take whatever is on the first one without TLS too.
func secureAddr(subnet netip.Prefix) netip.Addr { return bridgeAddr(subnet).Next() }

// hostSocket is the path of a host's unix socket.
func hostSocket(dir string, n int) string { return filepath.Join(dir, hostName(n), "docker.sock") }

// checkDir refuses a folder whose path is too long for the sockets in it: an
// engine would start, and fail with a message about something else.
func checkDir(dir string, hosts int) error {
	if over := len(hostSocket(dir, hosts)) - maxSocketPath; over > 0 {
		return fmt.Errorf("use folder %s: its path is %d bytes too long for the unix sockets in it; choose a shorter one", dir, over)
	}
	return nil
}
