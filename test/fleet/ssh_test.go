package fleet

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestAKeyIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/key"
	public, err := createKey(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(raw)
	if err != nil || string(key.PublicKey().Marshal()) != string(public.Marshal()) {
		t.Errorf("another key: %v", err)
	}
	if again, err := createKey(file); err != nil || string(again.Marshal()) == string(public.Marshal()) {
		t.Errorf("the same key again: %v", err)
	}
}

func TestTheServersConfiguration(t *testing.T) {
	t.Parallel()
	s := aState(t.TempDir())
	s.Each = []HostOptions{{SSH: true}}
	server := newFleet(s).Hosts[0].SSH
	if err := os.MkdirAll(server.daemon.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for allow, want := range map[bool]string{true: "AllowStreamLocalForwarding yes", false: "AllowStreamLocalForwarding no"} {
		if err := server.configure(allow); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(server.configFile())
		if err != nil || !strings.Contains(string(b), want+"\n") || !strings.Contains(string(b), "ListenAddress 10.3.4.11:22\n") {
			t.Errorf("want %q in:\n%s (%v)", want, b, err)
		}
	}
}
