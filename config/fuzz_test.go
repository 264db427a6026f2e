package config

import (
	"errors"
	"os"
	"path/filepath"
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
		f.Add(text, "[{name: a, repository: node}]")
	}
	path := filepath.Join(f.TempDir(), "prewarm.yaml")
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
