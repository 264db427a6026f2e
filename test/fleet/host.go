package fleet

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// execRoot is where an engine keeps what need not outlive it: the sockets of
	// its containerd, process ids. Every engine sees one of its own there.
	execRoot = "/run/docker"
	// enginePort and engineTLSPort are where an engine listens without TLS and
	// with it, by custom.
	enginePort    = 2375
	engineTLSPort = 2376
	// engineBridge is the address of the default bridge within every host. The
	// hosts share it, each in its own namespace, and it lies outside 10.0.0.0/8,
	// from which fleets take their subnets.
	engineBridge = "172.31.255.1/24"
)

// HostOptions says what a host is. The zero value is Debian's engine on a
// socket and on plain TCP.
type HostOptions struct {
	Engine Engine `json:"engine,omitempty"`
	TLS    TLS    `json:"tls,omitempty"`
	SSH    bool   `json:"ssh,omitempty"` // with an SSHServer
	// LiveRestore lets containers run on while the engine is down, until it is
	// back and takes care of them again.
	LiveRestore bool `json:"live_restore,omitempty"`
}

// Host is one Docker host: an engine in a network namespace of its own.
type Host struct {
	Name   string // etl-1, etl-2, …; also what the engine takes for its host name
	Addr   string // its address on the fleet's bridge
	Engine Engine
	Socket string // unix:///…
	TCP    string // tcp://ADDR:2375, and with TLS tcp://ADDR:2376
	// CertDir has ca.pem, cert.pem and key.pem, by which Docker's own command
	// line reaches a host with TLS. It is empty for others.
	CertDir string
	SSH     *SSHServer // nil where none was asked for

	tls             TLS
	liveRestore     bool
	link, namespace string
	engine          daemon
}

func newHost(s state, n int) *Host {
	name, addr, o := hostName(n), hostAddr(s.Subnet, n).String(), s.host(n)
	dir := filepath.Join(s.Dir, name)
	h := &Host{
		Name:      name,
		Addr:      addr,
		Engine:    o.Engine,
		Socket:    "unix://" + hostSocket(s.Dir, n),
		TCP:       "tcp://" + net.JoinHostPort(addr, strconv.Itoa(enginePort)),
		tls:       o.TLS,
		link:      linkName(s.ID, n),
		namespace: namespaceName(s.ID, name),

		liveRestore: o.LiveRestore,
	}
	if o.TLS != Plain {
		h.TCP = "tcp://" + net.JoinHostPort(addr, strconv.Itoa(engineTLSPort))
		h.CertDir = filepath.Join(dir, "tls")
	}
	h.engine = daemon{
		name: name,
		mark: s.mark() + "/" + mark(name),
		dir:  dir,
		argv: engineCommand(h.namespace, name, filepath.Join(dir, "daemon.json")),
		join: func(p process) []string { return engineBeside(p, h.namespace, filepath.Join(dir, "daemon.json")) },
		path: o.Engine.path(),
		env:  s.authority().trusted(),
		ping: "http://engine/_ping",
		dial: dialTo("unix", h.socketFile()),
	}
	if o.SSH {
		h.SSH = newSSHServer(h, h.engine.mark+"/sshd", h.namespace)
	}
	return h
}

func (h *Host) socketFile() string { return strings.TrimPrefix(h.Socket, "unix://") }

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

// engineBeside runs dockerd where an earlier one left containers running: in
// the namespaces of a process that watches over one of them, so that the engine
// finds in /run what it had there, as on a machine that was not booted anew.
func engineBeside(p process, namespace, config string) []string {
	return []string{
		lookIn(searchPath(), "nsenter"), "--net=" + filepath.Join(namespaces, namespace),
		"--mount=" + procFile(p.PID, "ns/mnt"), "--uts=" + procFile(p.PID, "ns/uts"),
		"dockerd", "--config-file", config,
	}
}

// engineConfig is the host's daemon.json. The machine's own one is not read:
// what it sets is meant for another engine. insecure is from where images are
// taken without TLS.
func engineConfig(h *Host, insecure netip.Addr) map[string]any {
	dir := h.engine.dir
	config := map[string]any{
		"hosts":     []string{h.Socket, h.TCP},
		"data-root": filepath.Join(dir, "data"),
		"exec-root": execRoot,
		"pidfile":   filepath.Join(execRoot, "dockerd.pid"),
		// A network, not a registry: more of them are added while the engine runs.
		"insecure-registries": []string{netip.PrefixFrom(insecure, insecure.BitLen()).String()},
		"bip":                 engineBridge,
		// The driver is named because systemd's would put the containers of all
		// hosts into one tree that is not ours to clear.
		"exec-opts":     []string{"native.cgroupdriver=cgroupfs"},
		"cgroup-parent": h.engine.mark.cgroup(),
	}
	if h.liveRestore {
		config["live-restore"] = true
	}
	maps.Copy(config, h.Engine.settings())
	maps.Copy(config, h.tlsSettings())
	return config
}

// create makes the host's folder, its keys and its configuration.
func (h *Host) create(insecure netip.Addr) error {
	if err := os.MkdirAll(h.engine.dir, 0o700); err != nil {
		return fmt.Errorf("create host %s: %w", h.Name, err)
	}
	if h.tls != Plain {
		if err := h.createCertificates(); err != nil {
			return fmt.Errorf("create host %s: %w", h.Name, err)
		}
	}
	if h.SSH != nil {
		if err := h.SSH.create(); err != nil {
			return fmt.Errorf("create host %s: %w", h.Name, err)
		}
	}
	return writeJSON(filepath.Join(h.engine.dir, "daemon.json"), engineConfig(h, insecure))
}

// Start starts the engine and waits until it serves. A running one is left as
// it is. The end of the engine's log is in the error.
func (h *Host) Start(ctx context.Context) error { return h.engine.start(ctx) }

// startAll starts the engine and the sshd, and waits until the network passes
// packets to them.
func (h *Host) startAll(ctx context.Context) error {
	if err := h.Start(ctx); err != nil {
		return err
	}
	if err := forwarding(h.link, commandTimeout); err != nil {
		return err
	}
	if h.SSH == nil {
		return nil
	}
	return h.SSH.Start(ctx)
}

// Stop ends the engine as "systemctl stop docker" does: it stops its
// containers, then itself; with LiveRestore itself alone. It waits up to 40 s.
func (h *Host) Stop() error { return h.engine.stop() }

// Crash ends the engine alone, as by kill -9. Its containers run on: with
// LiveRestore for good, else until Start, when the engine ends them.
func (h *Host) Crash() error {
	started, err := h.engine.mark.started()
	if err != nil {
		return fmt.Errorf("crash %s: %w", h.Name, err)
	}
	own := slices.DeleteFunc(started, func(p process) bool { return p.name() != "containerd" })
	if err := h.engine.crash(); err != nil {
		return err
	}
	// The kernel ends its containerd with it, and init takes that off the
	// process table, a moment later: an engine that starts meanwhile would take
	// it for its own and wait for it in vain.
	for _, p := range own {
		if !p.reaped(killTimeout) {
			return fmt.Errorf("crash %s: its containerd is still there after %v", h.Name, killTimeout)
		}
	}
	return nil
}

// Kill ends the engine, its containerd, every container and an sshd at one
// moment, as a power cut would: what the engine had on disk stays, what it had
// in /run is gone. Start brings the engine back, SSH.Start the sshd.
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

// PIDs are the processes of the engine: dockerd and its containerd, for as long
// as the engine runs.
func (h *Host) PIDs() ([]int, error) {
	p, err := h.engine.process()
	if err != nil {
		return nil, err
	}
	// A child is that of the thread that made it.
	lists, err := filepath.Glob(procFile(p.PID, "task/*/children"))
	if err != nil {
		return nil, fmt.Errorf("find the processes of %s: %w", h.Name, err)
	}
	pids := []int{p.PID}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			return nil, fmt.Errorf("find the processes of %s: %w", h.Name, err)
		}
		for word := range strings.FieldsSeq(string(children)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("find the processes of %s: %w", h.Name, err)
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
