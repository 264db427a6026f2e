package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// execRoot is where an engine keeps what need not outlive it: the sockets of
	// its containerd, process ids. Every engine sees one of its own there.
	execRoot = "/run/docker"
	// enginePort is where an engine listens without TLS, by custom.
	enginePort = 2375
	// engineBridge is the address of the default bridge within every host. The
	// hosts share it, each in its own namespace, and it lies outside 10.0.0.0/8,
	// from which fleets take their subnets.
	engineBridge = "172.31.255.1/24"
)

// Host is one Docker host: an engine in a network namespace of its own.
type Host struct {
	Name   string // etl-1, etl-2, …; also what the engine takes for its host name
	Addr   string // its address on the fleet's bridge
	Socket string // unix:///…
	TCP    string // tcp://ADDR:2375, without TLS

	link   string
	engine daemon
}

func newHost(s state, n int) *Host {
	name, addr := hostName(n), hostAddr(s.Subnet, n).String()
	dir := filepath.Join(s.Dir, name)
	socket := hostSocket(s.Dir, n)
	return &Host{
		Name:   name,
		Addr:   addr,
		Socket: "unix://" + socket,
		TCP:    "tcp://" + net.JoinHostPort(addr, strconv.Itoa(enginePort)),
		link:   linkName(s.ID, n),
		engine: daemon{
			name: name,
			mark: s.mark() + "/" + mark(name),
			dir:  dir,
			argv: engineCommand(namespaceName(s.ID, name), name, filepath.Join(dir, "daemon.json")),
			ping: "http://engine/_ping",
			dial: func(ctx context.Context) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", socket)
			},
		},
	}
}

// engineCommand runs dockerd within a host's namespaces.
//
// Network: nsenter, not "ip netns exec", which mounts a new /sys and thereby
// hides the control groups.
//
// Mounts: its own, which end with its last process. /run/docker and
// /run/containerd are empty and in memory there, so they are gone after a
// kill, as after a power cut; their paths are short whatever the fleet's
// folder (containerd takes 106 bytes for a socket, and dockerd waits 15 s
// before it tells); and the machine's own containerd is out of sight: where
// dockerd finds one it uses it, and all hosts would share it.
//
// The programs replace one another: the process that was started becomes
// dockerd.
func engineCommand(namespace, name, config string) []string {
	const script = `hostname "$1" && for d in /run/docker /run/containerd; do mkdir -p $d && mount -t tmpfs tmpfs $d || exit; done; exec dockerd --config-file "$2"`
	return []string{
		lookIn(searchPath(), "nsenter"), "--net=" + filepath.Join(namespaces, namespace),
		"unshare", "--mount", "--propagation", "slave", "--uts",
		"sh", "-c", script, "sh", name, config,
	}
}

// engineConfig is the host's daemon.json. The machine's own one is not read:
// what it sets is meant for another engine.
func engineConfig(h *Host, registry string) map[string]any {
	dir := h.engine.dir
	return map[string]any{
		"hosts":               []string{h.Socket, h.TCP},
		"tls":                 false,
		"data-root":           filepath.Join(dir, "data"),
		"exec-root":           execRoot,
		"pidfile":             filepath.Join(execRoot, "dockerd.pid"),
		"insecure-registries": []string{registry},
		"bip":                 engineBridge,
		// The driver is named because systemd's would put the containers of all
		// hosts into one tree that is not ours to clear.
		"exec-opts":     []string{"native.cgroupdriver=cgroupfs"},
		"cgroup-parent": h.engine.mark.cgroup(),
	}
}

// create makes the host's folder and configuration.
func (h *Host) create(registry string) error {
	if err := os.MkdirAll(h.engine.dir, 0o700); err != nil {
		return fmt.Errorf("create host %s: %w", h.Name, err)
	}
	return writeJSON(filepath.Join(h.engine.dir, "daemon.json"), engineConfig(h, registry))
}

// Start starts the engine and waits until it serves. A running one is left as
// it is. The end of the engine's log is in the error.
func (h *Host) Start(ctx context.Context) error { return h.engine.start(ctx) }

// Stop ends the engine as "systemctl stop docker" does: it stops its
// containers, then itself. It waits up to 40 s.
func (h *Host) Stop() error { return h.engine.stop() }

// Kill ends the engine, its containerd and every container at one moment, as
// a power cut would: what the engine had on disk stays, what it had in /run is
// gone. Start brings the host back.
func (h *Host) Kill() error {
	if err := h.engine.mark.killAll(killTimeout); err != nil {
		return fmt.Errorf("kill %s: %w", h.Name, err)
	}
	return nil
}

// Cut takes the host off the network: packets vanish both ways, no connection
// is closed. The unix socket goes on working.
func (h *Host) Cut() error { return ip(context.Background(), "link set "+h.link+" down") }

// Mend puts the host back on the network, and waits until the bridge passes
// packets to it: the kernel takes up to a second to notice that a link is up.
func (h *Host) Mend() error {
	if err := ip(context.Background(), "link set "+h.link+" up"); err != nil {
		return err
	}
	return forwarding(h.link, commandTimeout)
}
