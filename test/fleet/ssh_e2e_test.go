//go:build e2e

package fleet

import (
	"context"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// signIn opens a connection to a host's sshd.
func signIn(t *testing.T, s *SSHServer) (*ssh.Client, error) {
	t.Helper()
	raw, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	known, err := knownhosts.New(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", s.Addr, &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: known, Timeout: 10 * time.Second,
	})
	if err == nil {
		t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

// pingSSH asks an engine through a connection to its host.
func pingSSH(t *testing.T, c *ssh.Client) error {
	t.Helper()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return c.Dial("unix", "/var/run/docker.sock")
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return ping(ctx, &http.Client{Transport: transport}, "http://engine/_ping")
}

func mustSignIn(t *testing.T, s *SSHServer) *ssh.Client {
	t.Helper()
	c, err := signIn(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAHostIsReachedBySSH(t *testing.T) {
	t.Parallel()
	f := up(t, Options{Each: []HostOptions{{SSH: true}, {SSH: true}}})
	s := f.Hosts[0].SSH
	client := mustSignIn(t, s)
	if running, err := s.daemon.mark.processes(); err != nil || len(running) < 2 {
		t.Fatalf("a server and a connection: %v, %v", running, err)
	}
	if err := pingSSH(t, client); err != nil {
		t.Errorf("ping: %v; %s", err, s.daemon.tail())
	}
	t.Run("stopped", func(t *testing.T) {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := pingSSH(t, client); err != nil {
			t.Errorf("by the connection that was there: %v", err)
		}
		if _, err := signIn(t, s); err == nil {
			t.Error("a new connection was taken")
		}
	})
	t.Run("killed and started", func(t *testing.T) {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := pingSSH(t, client); err == nil {
			t.Error("the connection lives")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := pingSSH(t, mustSignIn(t, s)); err != nil {
			t.Error(err)
		}
	})
	t.Run("forwarding forbidden", func(t *testing.T) {
		if err := s.Forwarding(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := pingSSH(t, mustSignIn(t, s)); err == nil {
			t.Error("the socket was reached")
		}
		if err := s.Forwarding(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := pingSSH(t, mustSignIn(t, s)); err != nil {
			t.Error(err)
		}
	})
	t.Run("another host key", func(t *testing.T) {
		if err := s.NewHostKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := signIn(t, s); err == nil {
			t.Error("the server was taken for the one that is known")
		}
	})
	if err := pingSSH(t, mustSignIn(t, f.Hosts[1].SSH)); err != nil {
		t.Errorf("the other host: %v", err)
	}
	if err := f.Down(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, f.state); len(left) > 0 {
		t.Errorf("left after Down: %v", left)
	}
}
