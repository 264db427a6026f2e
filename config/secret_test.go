package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretIsNeverSeen(t *testing.T) {
	t.Parallel()
	type holder struct {
		Secret Secret
		Map    map[string]Secret
	}
	const text = "hunter2"
	h := holder{Secret: text, Map: map[string]Secret{"key": text}}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%z", "%10.3s"} {
		fmt.Fprintf(&b, verb+verb+"\n", h, h.Secret)
	}
	fmt.Fprintln(&b, h.Secret, h, &h, h.Secret.String(), h.Secret.GoString())
	for _, handler := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(handler).Info("told", "secret", h.Secret, "holder", h)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		out, err := marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(out)
	}
	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), "hun"} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("%q is seen in:\n%s", leak, b.String())
		}
	}
	if h.Secret.Reveal() != text {
		t.Errorf("Reveal() = %q", h.Secret.Reveal())
	}
}

func TestSecretFileNewline(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"a":        "a",
		"a\n":      "a",
		"a\r\n":    "a",
		"a\n\n":    "a\n",
		"a\r":      "a\r",
		" a b \n":  " a b ",
		"\na":      "\na",
		"\xff\x00": "\xff\x00",
	} {
		path := write(t, "registries: [{name: localhost, username: ci, password_file: token}]")
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := mustLoad(t, path).Registries[0].Password.Reveal(); got != want {
			t.Errorf("a file of %q gives %q, want %q", written, got, want)
		}
	}
}

func TestSecretFileTooLarge(t *testing.T) {
	t.Parallel()
	path := write(t, "registries: [{name: localhost, username: ci, password_file: prewarm.yaml}]\n#"+strings.Repeat("x", maxSecretFile))
	if got := refused(t, path, nil).Error(); !strings.Contains(got, "it is larger than 64 KiB") {
		t.Errorf("got %s", got)
	}
}

// One slip of the keyboard anywhere in the entry that holds the password, and
// the message must still not tell any of it.
func TestNoMessageTellsThePassword(t *testing.T) {
	t.Parallel()
	const head, tail = "server: {listen: 0.0.0.0:1}\nregistries:\n", "state: {path: x}\n"
	path := write(t, "")
	refusals := 0
	for _, entry := range []string{
		"  - name: a.b\n    username: ci\n    password: Zq7Xw9Kp\n",
		"  - {name: a.b, username: ci, password: Zq7Xw9Kp}\n",
		"  []\nauth:\n  tokens:\n  - name: ci\n    scopes: [run]\n    token: Zq7Xw9Kp\n    namespace: etl\n",
		"  []\nwebhooks: [{name: ci, secret: Zq7Xw9Kp, kind: github, repositories: [acme/*]}]\n",
	} {
		for i := range len(entry) {
			slips := []string{entry[:i] + entry[i+1:], entry[:i] + " " + entry[i+1:], entry[:i] + "," + entry[i+1:]}
			for _, c := range "*&!@{}[]:,#\"'\n%|>?-/ x\xff" {
				slips = append(slips, entry[:i]+string(c)+entry[i:])
			}
			for _, slip := range slips {
				if err := os.WriteFile(path, []byte(head+slip+tail), 0o600); err != nil {
					t.Fatal(err)
				}
				message := refused(t, path, nil).Error()
				for j := range len("Zq7Xw9Kp") - 2 {
					if strings.Contains(message, "Zq7Xw9Kp"[j:j+3]) {
						t.Errorf("the password is told of\n%s\n%s", slip, message)
					}
				}
				refusals++
			}
		}
	}
	if refusals < 2000 {
		t.Errorf("only %d slips were tried", refusals)
	}
}

func TestSecretKey(t *testing.T) {
	t.Parallel()
	const key = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ="
	path := write(t, "runner: {secret_key_file: secret.key}")
	file := filepath.Join(filepath.Dir(path), "secret.key")
	for text, want := range map[string]string{
		key:                                "hunter2hunter2hunter2hunter2hunt",
		key + "\n":                         "hunter2hunter2hunter2hunter2hunt",
		" " + key + "\r\n":                 "hunter2hunter2hunter2hunter2hunt",
		"":                                 "",
		"hunter2":                          "",
		key[:40]:                           "",
		key + key:                          "",
		key[:43]:                           "",
		"hunter2hunter2hunter2hunter2hunt": "",
		"bHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnR=": "", // stray bits at its end
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			got := refused(t, path, nil).Error()
			if !strings.Contains(got, `runner.secret_key_file "secret.key": it does not hold 32 bytes in base64; make one with: head -c 32 /dev/urandom`) || strings.Contains(got, "aHVudGVy") {
				t.Errorf("a file of %q: %s", text, got)
			}
			continue
		}
		c := mustLoad(t, path)
		if got := c.Runner.SecretKey.Reveal(); got != want || c.Runner.SecretKeyFile != file {
			t.Errorf("a file of %q gives %q, want %q", text, got, want)
		}
		if told := fmt.Sprintf("%+v %#v", c, c); strings.Contains(told, "hunter2") {
			t.Errorf("the key is told: %s", told)
		}
	}
}
