package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKnownHostsOfTheUser(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := write(t, "hosts: [{name: etl-1, endpoint: 'ssh://deploy@etl-1'}]")
	known := filepath.Join(home, ".ssh", "known_hosts")

	mistakes := refused(t, path, []string{"HOME=/nowhere", "HOME=" + home})
	want := `hosts[0].ssh.known_hosts "` + known + `": it does not exist; put the host's key into it with ssh-keyscan`
	if got := mistakes.Error(); !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant … %s …", got, want)
	}

	if err := os.Mkdir(filepath.Dir(known), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := refused(t, path, []string{"HOME=" + home}).Error(); !strings.Contains(got, "it is empty; put the host's key into it") {
		t.Errorf("got %s", got)
	}

	if err := os.WriteFile(known, []byte("etl-1 ssh-ed25519 AAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, path, "HOME="+home).Hosts[0].SSH; got == nil || got.KnownHosts != known {
		t.Errorf("ssh = %+v, want known hosts in %s", got, known)
	}
}

// A key is a secret: what is wrong with it is told without it.
func TestNoMessageTellsTheKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, key := range []string{
		"hunter2",
		"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
	} {
		file := filepath.Join(folder, "key")
		if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		cert, err := filepath.Abs("testdata/certs/client.pem")
		if err != nil {
			t.Fatal(err)
		}
		got := refused(t, write(t, "registries: [{name: ghcr.io, cert_file: "+cert+", key_file: "+file+"}]"), nil).Error()
		if strings.Contains(got, "aHVudGVyMg") {
			t.Errorf("the message tells the key: %s", got)
		}
	}
}

func TestEndpointSpellings(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"ssh://a@b":                         "ssh://a@b",
		"ssh://a@b/":                        "ssh://a@b",
		"SSH://a@B:22/var/run/docker.sock":  "ssh://a@b",
		"ssh://a@b:2222":                    "ssh://a@b:2222",
		"ssh://a@b/run//user/1/docker.sock": "ssh://a@b/run/user/1/docker.sock",
		"ssh://a@[FD00::1]:22":              "ssh://a@[fd00::1]",
		"ssh://a%40c@b":                     "ssh://a%40c@b",
		"tcp://B:2376/":                     "tcp://b:2376",
		"tcp://[::1]:2376":                  "tcp://[::1]:2376",
		"ssh://@b":                          "",
		"ssh://a@":                          "",
		"ssh://a@b:":                        "",
		"ssh://a@b:0":                       "",
		"ssh://a@b#c":                       "",
		"ssh://a@b/c%2fd":                   "",
		"ssh:a@b":                           "",
		"tcp://[fe80::1%25eth0]:2376":       "",
		"ssh://a@[fe80::1%25eth0]":          "",
		"ssh://a@b c":                       "",
	} {
		r := newReader("", "")
		r.at["hosts[0].endpoint"] = position{}
		if got := r.endpoint("hosts[0]", hostDoc{Endpoint: written, Insecure: true}); got != want {
			t.Errorf("%s is written %q, want %q (%v)", written, got, want, r.found)
		}
	}
}
