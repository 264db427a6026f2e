//go:build install

package install

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// chroot is a minimal Debian in a folder, for packages that are not to be
// installed onto this machine. No systemd runs there.
type chroot struct {
	t   *testing.T
	dir string
}

func newChroot(t *testing.T) *chroot {
	t.Helper()
	archive, err := fleet.DebianArchive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &chroot{t: t, dir: t.TempDir()}
	if out, err := exec.CommandContext(t.Context(), "tar", "xzf", archive, "-C", c.dir).CombinedOutput(); err != nil {
		t.Fatalf("unpack %s: %v\n%s", archive, err, out)
	}
	if err := os.Chmod(c.dir, 0o755); err != nil { // others than root work there
		t.Fatal(err)
	}
	c.sh(`mkdir -p /tmp /var/log && chmod 1777 /tmp
umask 0 && mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9`)
	return c
}

func (c *chroot) path(path string) string { return filepath.Join(c.dir, path) }

func (c *chroot) command(who *syscall.Credential, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.dir, Credential: who}
	return cmd
}

// try runs a script there, as root, and gives its output.
func (c *chroot) try(script string, env ...string) (string, error) {
	out, err := c.command(nil, env, "/bin/sh", "-euc", script).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// sh is try for what has to succeed.
func (c *chroot) sh(script string, env ...string) string {
	c.t.Helper()
	out, err := c.try(script, env...)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// user is a user's ids there.
func (c *chroot) user(name string) *syscall.Credential {
	c.t.Helper()
	id := func(flag string) uint32 {
		n, err := strconv.ParseUint(c.sh("id "+flag+" "+name), 10, 32)
		if err != nil {
			c.t.Fatal(err)
		}
		return uint32(n)
	}
	return &syscall.Credential{Uid: id("-u"), Gid: id("-g")}
}

// unit is what a unit file says: all values of each key of [Service], in order.
func (c *chroot) unit(path string) map[string][]string {
	c.t.Helper()
	text, err := os.ReadFile(c.path(path))
	if err != nil {
		c.t.Fatal(err)
	}
	values := make(map[string][]string)
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

// service plays systemd for one service: it runs what the unit says, as the user
// of the unit, and hears what the service tells.
type service struct {
	chroot *chroot
	unit   map[string][]string
	cmd    *exec.Cmd
	socket *net.UnixConn
	log    bytes.Buffer
}

// start starts it and waits until it says that it is ready. credentials is what
// LoadCredential would bring.
func (c *chroot) start(credentials map[string]string, env ...string) *service {
	c.t.Helper()
	s := &service{chroot: c, unit: c.unit("/lib/systemd/system/prewarm.service")}
	who := c.user(s.unit["User"][0])
	const dir = "/run/credentials/prewarm.service"
	c.sh("rm -rf " + dir + " && install -d -m 0500 -o prewarm -g prewarm " + dir)
	for name, text := range credentials {
		file := c.path(dir + "/" + name)
		if err := os.WriteFile(file, []byte(text), 0o400); err != nil {
			c.t.Fatal(err)
		}
		if err := os.Chown(file, int(who.Uid), int(who.Gid)); err != nil {
			c.t.Fatal(err)
		}
	}
	var err error
	_ = os.Remove(c.path("/run/notify")) // of a start before
	if s.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: c.path("/run/notify"), Net: "unixgram"}); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(c.path("/run/notify"), 0o666); err != nil {
		c.t.Fatal(err)
	}
	s.cmd = c.command(who, append([]string{
		"NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=2000000", "HOME=/var/lib/prewarm", "CREDENTIALS_DIRECTORY=" + dir,
	}, env...), strings.Fields(s.unit["ExecStart"][0])...)
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // in vain once it was stopped
		_ = s.socket.Close()
	})
	s.hear("READY=1")
	return s
}

// hear waits for a word and gives the message that has it.
func (s *service) hear(word string) string {
	s.chroot.t.Helper()
	if err := s.socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.chroot.t.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		n, err := s.socket.Read(b)
		if err != nil {
			s.chroot.t.Fatalf("the service does not say %s: %v; its log:\n%s", word, err, &s.log)
		}
		for line := range strings.Lines(string(b[:n])) {
			if strings.TrimSpace(line) == word {
				return string(b[:n])
			}
		}
	}
}

// reload does what systemctl reload does, up to the first command that fails.
func (s *service) reload(env ...string) (string, error) {
	who := s.chroot.user(s.unit["User"][0])
	env = append(env, "MAINPID="+strconv.Itoa(s.cmd.Process.Pid))
	for _, line := range s.unit["ExecReload"] {
		line = strings.ReplaceAll(line, "$$", "$")
		if out, err := s.chroot.command(who, env, "/bin/sh", "-c", line).CombinedOutput(); err != nil {
			return string(out), fmt.Errorf("%s: %w", line, err)
		}
	}
	return "", nil
}

// stop ends it as systemctl stop does.
func (s *service) stop() {
	s.chroot.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.chroot.t.Fatal(err)
	}
	s.hear("STOPPING=1")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })()
	if err := s.cmd.Wait(); err != nil {
		s.chroot.t.Fatalf("the service ended by %v; its log:\n%s", err, &s.log)
	}
	_ = s.socket.Close()
}
