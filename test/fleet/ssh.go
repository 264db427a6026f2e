package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshUser is who signs in at a host. Another user would have to be made on
// this machine.
const sshUser = "root"

// SSHServer is Debian's OpenSSH server in a host's network namespace. The
// engine's socket is at /run/docker.sock there, where users have it.
type SSHServer struct {
	Addr       string // host:port
	User       string
	URL        string // ssh://USER@HOST:PORT
	KeyFile    string // of the client: a private key without a passphrase
	KnownHosts string // file: the server's key, as a client knows it

	daemon daemon
	socket string // of the engine
}

func newSSHServer(h *Host, m mark, namespace string) *SSHServer {
	addr := net.JoinHostPort(h.Addr, "22")
	dir := filepath.Join(h.engine.dir, "sshd")
	s := &SSHServer{
		Addr:       addr,
		User:       sshUser,
		URL:        "ssh://" + sshUser + "@" + addr,
		KeyFile:    filepath.Join(dir, "client_key"),
		KnownHosts: filepath.Join(dir, "known_hosts"),
		socket:     h.socketFile(),
	}
	s.daemon = daemon{
		name: "sshd of " + h.Name,
		mark: m,
		dir:  dir,
		argv: sshCommand(namespace, s.socket, s.configFile(), filepath.Join(sshCgroup(m), "cgroup.procs")),
		dial: dialTo("tcp", addr),
	}
	return s
}

func (s *SSHServer) configFile() string  { return filepath.Join(s.daemon.dir, "sshd_config") }
func (s *SSHServer) hostKeyFile() string { return filepath.Join(s.daemon.dir, "host_key") }

// sshCgroup is a control group for the server and its connections. They write
// their titles over their environment, so the mark in that is lost, and most
// connections outlive the server.
func sshCgroup(m mark) string {
	root := cgroupRoot
	if !exists(filepath.Join(root, "cgroup.procs")) { // the older form, a folder per controller
		root = filepath.Join(root, "pids")
	}
	return filepath.Join(root, m.cgroup(), "all")
}

// sshCommand runs sshd within a host's network. Its /run is its own: sshd
// wants a folder there, which only Debian's service makes, and the engine's
// socket is where clients look for it.
func sshCommand(namespace, socket, config, cgroup string) []string {
	const script = `echo $$ >"$4" && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && ln -s "$1" /run/docker.sock && exec "$2" -D -e -f "$3"`
	return []string{
		lookIn(searchPath(), "nsenter"), "--net=" + filepath.Join(namespaces, namespace),
		"unshare", "--mount", "--propagation", "slave",
		"sh", "-c", script, "sh", socket, lookIn(searchPath(), "sshd"), config, cgroup,
	}
}

// sshConfig is the server's configuration. StrictModes would refuse a key
// whose folder is below one that all may write, as temporary ones are; PAM
// would ask this machine what it thinks of a root that signs in. Forwarding to
// addresses is allowed, as by default: without it sshd 9.2 forwards to no
// socket either, whatever the line for those says.
const sshConfig = `ListenAddress %s
HostKey %q
AuthorizedKeysFile %q
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
AllowStreamLocalForwarding %s
LogLevel VERBOSE
`

// create makes the server's folder, the keys of both sides and the
// configuration.
func (s *SSHServer) create() error {
	for _, dir := range []string{s.daemon.dir, sshCgroup(s.daemon.mark)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create %s: %w", s.daemon.name, err)
		}
	}
	client, err := createKey(s.KeyFile)
	if err != nil {
		return err
	}
	if err := writeFile(s.authorizedFile(), ssh.MarshalAuthorizedKey(client)); err != nil {
		return err
	}
	server, err := createKey(s.hostKeyFile())
	if err != nil {
		return err
	}
	if err := writeFile(s.KnownHosts, []byte(knownhosts.Line([]string{s.Addr}, server)+"\n")); err != nil {
		return err
	}
	return s.configure(true)
}

func (s *SSHServer) authorizedFile() string { return filepath.Join(s.daemon.dir, "authorized_keys") }

func (s *SSHServer) configure(forwarding bool) error {
	allow := map[bool]string{true: "yes", false: "no"}[forwarding]
	return writeFile(s.configFile(), fmt.Appendf(nil, sshConfig, s.Addr, s.hostKeyFile(), s.authorizedFile(), allow))
}

// createKey writes a new private key and gives its public half.
func createKey(file string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key %s: %w", file, err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, fmt.Errorf("create key %s: %w", file, err)
	}
	if err := writeFile(file, pem.EncodeToMemory(block)); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}

// Start starts the server and waits until it answers. A running one is left as
// it is.
func (s *SSHServer) Start(ctx context.Context) error { return s.daemon.start(ctx) }

// Stop ends the listening server: connections that are there stay, new ones
// are refused.
func (s *SSHServer) Stop() error { return s.daemon.stop() }

// Kill ends the server and all its connections at one moment.
func (s *SSHServer) Kill() error {
	if err := s.daemon.mark.killAll(killTimeout); err != nil {
		return fmt.Errorf("kill %s: %w", s.daemon.name, err)
	}
	return nil
}

// Forwarding lets clients reach sockets of the host, or forbids it, as many an
// administrator does. It ends all connections.
func (s *SSHServer) Forwarding(ctx context.Context, allow bool) error {
	if err := s.configure(allow); err != nil {
		return err
	}
	return errors.Join(s.Kill(), s.Start(ctx))
}

// NewHostKey gives the server another key and leaves KnownHosts as it is: so
// it looks to a client when somebody stands in between. It ends all
// connections.
func (s *SSHServer) NewHostKey(ctx context.Context) error {
	if _, err := createKey(s.hostKeyFile()); err != nil {
		return err
	}
	return errors.Join(s.Kill(), s.Start(ctx))
}
