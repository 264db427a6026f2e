package docker

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

// TestSSHSharesOneConnection: however many calls and streams there are.
func TestSSHSharesOneConnection(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	e.on("GET /_ping", pong("1.41"))
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	h := s.host(e.socket)
	var calls sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 10 {
		calls.Go(func() {
			if err := h.Watch(ctx, func(warmer.Happening) {}); err != nil {
				t.Errorf("Watch: %v", err)
			}
		})
		calls.Go(func() {
			if err := h.Confirm(ctx); err != nil {
				t.Errorf("Confirm: %v", err)
			}
		})
	}
	time.AfterFunc(100*time.Millisecond, cancel)
	calls.Wait()
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}

// TestSSHRedials after a connection that broke.
func TestSSHRedials(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	e.on("GET /_ping", pong("1.41"))
	e.on("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"Pulling fs layer","id":"l1"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	e.store()
	h := s.host(e.socket)
	_, err := h.Keep(t.Context(), pinA(t), func(warmer.Progress) { s.cut() })
	wantCode(t, "Keep through a connection that is cut", err, "host_unreachable")
	if err := h.Confirm(t.Context()); err != nil || s.conns.Load() != 2 {
		t.Errorf("Confirm = %v over connection %d, want it over the second", err, s.conns.Load())
	}
}

// TestSSHLeavesNothingAfterAClose: a run that is followed on goes on over the
// host's old client, and its connection ends with what it asks for.
func TestSSHLeavesNothingAfterAClose(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	e.on("GET /_ping", pong("1.41"))
	h := s.host(e.socket)
	if err := h.Confirm(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Close()
	if err := h.Confirm(t.Context()); err != nil || s.conns.Load() != 2 {
		t.Fatalf("Confirm = %v over connection %d, want it over the second", err, s.conns.Load())
	}
	for end := time.Now().Add(10 * time.Second); h.ssh.current() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection is still there")
		}
	}
	if _, err := h.ssh.run(t.Context(), "true"); err != nil {
		t.Errorf("run: %v", err)
	}
	if c := h.ssh.current(); c != nil {
		<-c.dead
	}
}

// TestSSHNoticesSilence: TCP is well, and sshd says nothing any more.
func TestSSHNoticesSilence(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	e.on("GET /events", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	h := s.host(e.socket)
	h.ssh.alive = 50 * time.Millisecond
	time.AfterFunc(200*time.Millisecond, func() { s.deaf.Store(true) })
	within(t, 5*time.Second, func() {
		wantCode(t, "Watch", h.Watch(t.Context(), func(warmer.Happening) {}), "host_unreachable")
	})
}

// TestSSHFreesItsCaller: neither opening a stream nor reading from one outlasts
// its context, whatever sshd does.
func TestSSHFreesItsCaller(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	reading := make(chan struct{})
	e.on("GET /containers/c1/json", inspected(config1, stateRunning, ourLabels))
	e.on("GET /containers/c1/logs", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(reading)
		<-r.Context().Done()
	})
	h := s.host(e.socket)
	if _, err := h.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reading
		s.deaf.Store(true)
		cancel()
	}()
	within(t, 8*time.Second, func() {
		if err := h.Logs(ctx, "c1", time.Time{}, true, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Logs = %v, want the context's error", err)
		}
	})
	within(t, 8*time.Second, func() {
		wantCode(t, "Confirm", h.Confirm(t.Context()), "host_unreachable")
	})
}

func TestSSHRefusals(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	other, private := newSSHKey(t)
	for _, c := range []struct {
		name   string
		server func(*sshd)
		host   func(*sshd, *Options)
		why    string
		mend   string
	}{
		{"unknown machine", nil, func(s *sshd, o *Options) { o.SSH.KnownHosts = s.write("empty", nil) }, "SHA256:", "ssh-keyscan -p "},
		{"no known_hosts", nil, func(s *sshd, o *Options) { o.SSH.KnownHosts = filepath.Join(s.dir, "none") }, "ssh.known_hosts can't be used", "ssh-keyscan -p "},
		{
			"another machine", nil,
			func(s *sshd, o *Options) {
				o.SSH.KnownHosts = s.write("changed", []byte(knownhosts.Line([]string{s.address}, other.PublicKey())+"\n"))
			}, "another one than line 1 of", "ssh-keygen -R '[127.0.0.1]:",
		},
		{
			"revoked", nil,
			func(s *sshd, o *Options) {
				o.SSH.KnownHosts = s.write("revoked", []byte("@revoked "+knownhosts.Line([]string{s.address}, s.signer.PublicKey())+"\n"))
			}, "is refused", "another host key",
		},
		{"foreign key", nil, func(s *sshd, o *Options) { o.SSH.KeyFile = s.write("other", private) }, "lets no prewarm in with our key", "authorized_keys of user prewarm"},
		{"no key", nil, func(s *sshd, o *Options) { o.SSH.KeyFile = filepath.Join(s.dir, "none") }, "ssh.key_file can't be used", "readable private key"},
		{"no agent", nil, func(_ *sshd, o *Options) { o.SSH.KeyFile = "" }, "the ssh agent at ", "ssh.key_file"},
		{"no socket", nil, func(s *sshd, o *Options) { o.Endpoint = "ssh://prewarm@" + s.address + "/no/such.sock" }, "there is no socket /no/such.sock", "systemctl start docker"},
		{"forwarding forbidden", func(s *sshd) { s.noForward.Store(true) }, nil, "does not forward to", "AllowStreamLocalForwarding yes"},
		{"all forbidden", func(s *sshd) { s.noForward.Store(true); s.noRun.Store(true) }, nil, "opens no stream to", "AllowStreamLocalForwarding yes"},
		{"nobody", nil, func(_ *sshd, o *Options) { o.Endpoint = "ssh://prewarm@127.0.0.1:1" }, "nothing listens at 127.0.0.1:1", "start sshd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSSHD(t)
			if c.server != nil {
				c.server(s)
			}
			h := s.host(e.socket, func(o *Options) {
				if c.host != nil {
					c.host(s, o)
				}
			})
			_, err := h.connect(t.Context())
			wantObstacle(t, err, c.why)
			if err != nil && !strings.Contains(problem.From(err).Mend, c.mend) {
				t.Errorf("mend %q, want %q in it", problem.From(err).Mend, c.mend)
			}
		})
	}
}

// TestSSHAgent signs in with keys of an agent: any of them, or the one whose
// file has a passphrase.
func TestSSHAgent(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.users = signer.PublicKey()
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	locked := s.write("locked", pem.EncodeToMemory(block))
	socket := s.agent(key)
	for _, file := range []string{"", locked} {
		h := s.host(e.socket, func(o *Options) { o.SSH.KeyFile, o.SSH.Agent = file, socket })
		if _, err := h.connect(t.Context()); err != nil {
			t.Errorf("connect with key file %q: %v", file, err)
		}
	}
	h := s.host(e.socket, func(o *Options) { o.SSH.KeyFile, o.SSH.Agent = locked, s.agent() })
	_, err = h.connect(t.Context())
	wantObstacle(t, err, "lets no prewarm in with our key")
}

// TestSSHTakesTheKnownKind: a machine has keys of several kinds, and the file
// one of them; agreeing on another looks like a changed key.
func TestSSHTakesTheKnownKind(t *testing.T) {
	t.Parallel()
	s := newSSHD(t)
	k, err := newHostKeys(endpoint{network: "ssh", address: s.address}, s.known)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.algorithms(); len(got) != 1 || got[0] != ssh.KeyAlgoED25519 {
		t.Errorf("algorithms = %q, want that of the known key", got)
	}
	signed := s.write("signed", []byte("@cert-authority "+knownhosts.Line([]string{s.address}, s.signer.PublicKey())+"\n"))
	if k, err = newHostKeys(endpoint{network: "ssh", address: s.address}, signed); err != nil {
		t.Fatal(err)
	}
	if got := k.algorithms(); got != nil {
		t.Errorf("algorithms = %q beside an authority, want the library's", got)
	}
}

func TestSSHTellsTheDisk(t *testing.T) {
	t.Parallel()
	e, s := newEngine(t), newSSHD(t)
	root := filepath.Join(s.dir, "it's a root")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	h := s.host(e.socket)
	if got := h.remoteDisk(t.Context(), root); got.Total <= 0 || got.Free > got.Total {
		t.Errorf("disk %+v, want that of this machine", got)
	}
	if got := h.remoteDisk(t.Context(), root+"/none"); got != (warmer.Disk{}) {
		t.Errorf("disk %+v of what is not there", got)
	}
	if got, err := h.ssh.run(t.Context(), "head -c 1000000 /dev/zero"); err == nil {
		t.Errorf("%d bytes were taken for an answer", len(got))
	}
	s.noRun.Store(true)
	if got := h.remoteDisk(t.Context(), root); got != (warmer.Disk{}) {
		t.Errorf("disk %+v of a machine that runs nothing", got)
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "''", "/a b": "'/a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := quoted(in); got != want {
			t.Errorf("quoted(%q) = %s, want %s", in, got, want)
		}
	}
}
