package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range append(seeds, "testdata/full.yaml") {
		text, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		// The hosts of the other file would be written among the rest.
		text = bytes.ReplaceAll(text, []byte("hosts_file: hosts.yaml\n"), nil)
		f.Add(bytes.ReplaceAll(text, []byte("../"), nil), "[{name: a, repository: node}]")
	}
	folder := f.TempDir()
	path := filepath.Join(folder, "prewarm.yaml")
	for _, name := range []string{"certs", "secrets"} { // what the seeds name
		target, err := filepath.Abs(filepath.Join("testdata", name))
		if err == nil {
			err = os.Symlink(target, filepath.Join(folder, name))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, images string) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := Load(path, []string{"PREWARM_IMAGES=" + images})
		if err != nil {
			var mistakes Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) == 0 {
				t.Fatalf("refused without Mistakes: %v", err)
			}
			return
		}
		redacted, err := config.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, redacted, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path, nil)
		if err != nil && writtenSecrets(config) {
			return // "***" is too short for one
		}
		if err != nil {
			t.Fatalf("what Redacted writes is refused: %v\n%s", err, redacted)
		}
		for i, reg := range config.Registries {
			if reg.Password != "" && reg.PasswordFile == "" {
				config.Registries[i].Password = masked
			}
		}
		if diff := cmp.Diff(config, again, comparers()); diff != "" {
			t.Fatalf("loaded again (-first +again):\n%s\nfrom\n%s", diff, redacted)
		}
	})
}

// writtenSecrets tells whether tokens or secrets of webhooks stand in the
// configuration itself.
func writtenSecrets(c *Config) bool {
	return slices.ContainsFunc(c.Auth.Tokens, func(t Token) bool { return t.TokenFile == "" }) ||
		slices.ContainsFunc(c.Webhooks, func(h Webhook) bool {
			return len(h.Secrets) > 0 && h.SecretFile == "" || len(h.Secrets) > 1 && h.PreviousSecretFile == ""
		})
}
