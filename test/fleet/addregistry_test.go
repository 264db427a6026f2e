package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestRegistriesThatCanNotBe(t *testing.T) {
	t.Parallel()
	f := newFleet(aState(t.TempDir()))
	if err := os.Mkdir(filepath.Join(f.Dir, "registry"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		o    RegistryOptions
		want string
	}{
		{RegistryOptions{}, "small letters"},
		{RegistryOptions{Name: "../x"}, "small letters"},
		{RegistryOptions{Name: "registry"}, "taken"},
		{RegistryOptions{Name: "x", Tokens: time.Minute}, "accounts"},
		{RegistryOptions{Name: strings.Repeat("x", maxSocketPath)}, "too long"},
	} {
		_, err := f.AddRegistry(t.Context(), tc.o)
		if err == nil || !strings.Contains(err.Error(), "add registry") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.o, err, tc.want)
		}
	}
}

func TestACacheKnowsItsUpstream(t *testing.T) {
	t.Parallel()
	f := newFleet(aState(t.TempDir()))
	upstream := &Registry{Addr: "10.3.4.2:5000", CAFile: f.CAFile(), Accounts: map[string]string{"b": "2", "a": "1"}}
	sections, err := f.registrySections(&Registry{}, RegistryOptions{Name: "cache", CacheOf: upstream})
	if err != nil {
		t.Fatal(err)
	}
	proxy, _ := sections["proxy"].(map[string]any)
	if proxy["remoteurl"] != "https://10.3.4.2:5000" || proxy["username"] != "a" || proxy["password"] != "1" {
		t.Errorf("got %v", proxy)
	}
}

func TestPasswordsAreHashed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "htpasswd")
	if err := writePasswords(file, map[string]string{"ci": "secret", "cd": "other"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 || strings.Contains(string(b), "secret") {
		t.Fatalf("got %s", b)
	}
	user, hash, _ := strings.Cut(lines[1], ":")
	if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte("secret")); user != "ci" || err != nil {
		t.Errorf("%s: %v", user, err)
	}
}
