package docker

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshd is an SSH server in this process that forwards to unix sockets and runs
// commands.
type sshd struct {
	t       *testing.T
	dir     string
	address string
	signer  ssh.Signer
	users   ssh.PublicKey
	known   string // known_hosts with its key
	keyFile string

	conns     atomic.Int64
	noForward atomic.Bool // AllowStreamLocalForwarding no
	noRun     atomic.Bool // no commands
	deaf      atomic.Bool // it answers no request and opens no stream

	mu   sync.Mutex
	open []net.Conn
}

func newSSHD(t *testing.T) *sshd {
	t.Helper()
	dir, err := os.MkdirTemp("", "pw") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &sshd{t: t, dir: dir}
	s.signer, _ = newSSHKey(t)
	user, private := newSSHKey(t)
	s.users = user.PublicKey()
	s.keyFile = s.write("id", private)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.known = s.write("known_hosts", []byte(knownhosts.Line([]string{s.address}, s.signer.PublicKey())+"\n"))
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.mu.Lock()
			s.open = append(s.open, conn)
			s.mu.Unlock()
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.cut()
		serving.Wait()
	})
	return s
}

func newSSHKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

func (s *sshd) write(name string, text []byte) string {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// cut ends all connections.
func (s *sshd) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		_ = c.Close()
	}
	s.open = nil
}

func (s *sshd) serve(bare net.Conn) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if bytes.Equal(key.Marshal(), s.users.Marshal()) {
			return nil, nil //nolint:nilnil // no permissions, no error: that is how it is spelt
		}
		return nil, errors.New("not this key")
	}}
	config.AddHostKey(s.signer)
	conn, channels, requests, err := ssh.NewServerConn(bare, config)
	if err != nil {
		_ = bare.Close()
		return
	}
	defer func() { _ = conn.Close() }()
	go func() {
		for r := range requests {
			if !s.deaf.Load() {
				_ = r.Reply(false, nil)
			}
		}
	}()
	for c := range channels {
		if !s.deaf.Load() {
			go s.channel(c)
		}
	}
}

func (s *sshd) channel(c ssh.NewChannel) {
	switch {
	case c.ChannelType() == "direct-streamlocal@openssh.com" && !s.noForward.Load():
		s.forward(c)
	case c.ChannelType() == "session" && !s.noRun.Load():
		s.session(c)
	default:
		_ = c.Reject(ssh.ConnectionFailed, "open failed") // as OpenSSH says whatever the cause
	}
}

func (s *sshd) forward(c ssh.NewChannel) {
	var target struct {
		Path     string
		Reserved string
		Port     uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &target); err != nil {
		s.t.Error(err)
	}
	far, err := net.Dial("unix", target.Path)
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	near, requests, err := c.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

func (s *sshd) session(c ssh.NewChannel) {
	near, requests, err := c.Accept()
	if err != nil {
		return
	}
	for r := range requests {
		var command struct{ Line string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &command) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		run := exec.Command("/bin/sh", "-c", command.Line)
		run.Stdout = near
		status := struct{ Code uint32 }{}
		if run.Run() != nil {
			status.Code = 1
		}
		_, _ = near.SendRequest("exit-status", false, ssh.Marshal(status))
		_ = near.Close()
	}
}

// host makes a Host of an engine behind the server.
func (s *sshd) host(socket string, change ...func(*Options)) *Host {
	s.t.Helper()
	o := Options{
		Name: "etl-1", Instance: "inst", Endpoint: "ssh://prewarm@" + s.address + socket,
		SSH: &SSH{KeyFile: s.keyFile, KnownHosts: s.known, Agent: filepath.Join(s.dir, "no-agent")},
	}
	for _, c := range change {
		c(&o)
	}
	h, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(h.Close)
	return h
}

// agent starts an agent that holds a key nobody knows, and these.
func (s *sshd) agent(keys ...ed25519.PrivateKey) (socket string) {
	s.t.Helper()
	ring := agent.NewKeyring()
	_, nobodys, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range append([]ed25519.PrivateKey{nobodys}, keys...) {
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			s.t.Fatal(err)
		}
	}
	socket = filepath.Join(s.dir, fmt.Sprintf("agent%d", len(keys)))
	listener, err := net.Listen("unix", socket)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = agent.ServeAgent(ring, conn)
				_ = conn.Close()
			}()
		}
	}()
	return socket
}
