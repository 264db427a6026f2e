package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// namespaces is where the ip program keeps network namespaces by name.
const namespaces = "/run/netns"

// commandTimeout bounds the small programs that a fleet runs to their end.
const commandTimeout = 30 * time.Second

// command runs a program to its end; its output is in the error.
func command(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, lookIn(searchPath(), name), args...)
	// A second Ctrl-C must not reach what takes a fleet down.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// ip runs the ip program once per line of arguments, until one fails.
func ip(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if err := command(ctx, "ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

// createBridge makes the fleet's bridge with its addresses.
func createBridge(ctx context.Context, id string, subnet netip.Prefix) error {
	bridge := bridgeName(id)
	return ip(ctx,
		"link add "+bridge+" type bridge",
		fmt.Sprintf("address add %s/%d dev %s", bridgeAddr(subnet), subnet.Bits(), bridge),
		fmt.Sprintf("address add %s/%d dev %s", secureAddr(subnet), subnet.Bits(), bridge),
		"link set "+bridge+" up",
	)
}

// createNamespace makes the namespace of host n, on the bridge, with its
// address. The default route is there because an engine wants to know a way
// out; this machine forwards nothing that comes by it.
func createNamespace(ctx context.Context, id string, n int, subnet netip.Prefix) error {
	ns, link := namespaceName(id, hostName(n)), linkName(id, n)
	return ip(ctx,
		"netns add "+ns,
		"link add "+link+" type veth peer name eth0 netns "+ns,
		"link set "+link+" master "+bridgeName(id)+" up",
		fmt.Sprintf("-n %s address add %s/%d dev eth0", ns, hostAddr(subnet, n), subnet.Bits()),
		"-n "+ns+" link set eth0 up",
		"-n "+ns+" link set lo up",
		fmt.Sprintf("-n %s route add default via %s", ns, bridgeAddr(subnet)),
	)
}

// forwarding waits until the bridge passes packets to a link of it.
func forwarding(link string, within time.Duration) error {
	const yes = "3" // BR_STATE_FORWARDING in linux/if_bridge.h
	file := filepath.Join("/sys/class/net", link, "brport", "state")
	for deadline := time.Now().Add(within); ; time.Sleep(pollPause) {
		state, err := os.ReadFile(file)
		switch {
		case err != nil:
			return fmt.Errorf("wait for link %s: %w", link, err)
		case strings.TrimSpace(string(state)) == yes:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("wait for link %s: the bridge still holds packets back after %v", link, within)
		}
	}
}

// deleteNetwork removes the links and namespaces that carry the id. The links
// first: the kernel takes down a deleted namespace later, and its end of a
// pair with it.
func deleteNetwork(ctx context.Context, id string) error {
	links, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var errs []error
	for _, l := range links {
		if l.Name == bridgeName(id) || strings.HasPrefix(l.Name, bridgeName(id)+"-") {
			errs = append(errs, ip(ctx, "link delete "+l.Name))
		}
	}
	found, err := filepath.Glob(filepath.Join(namespaces, namespaceName(id, "*")))
	errs = append(errs, err)
	for _, ns := range found {
		errs = append(errs, ip(ctx, "netns delete "+filepath.Base(ns)))
	}
	return errors.Join(errs...)
}

// firstPort is the usual port of registries.
const firstPort = 5000

// freePort finds a port on addr: the usual one of registries or one soon after
// it, unless somebody listens on all of them on all addresses. The ones that
// the system would choose are given to connections too, so another program
// could have taken such a port by the time that the registry wants it.
func freePort(ctx context.Context, addr netip.Addr) (uint16, error) {
	var lc net.ListenConfig
	var errs []error
	for port := uint16(firstPort); port < firstPort+100; port++ {
		l, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(addr, port).String())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer l.Close()
		return port, nil
	}
	return 0, fmt.Errorf("find a port for the registry: %w", errs[0])
}

// exists tells whether a path is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
