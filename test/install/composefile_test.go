//go:build install

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What compose.yaml promises of each of its services. The engine is not asked.
func TestComposeFile(t *testing.T) {
	c := newComposed(t.Context(), t)
	if len(c.file.Services) < 9 {
		t.Fatalf("compose.yaml has %d services", len(c.file.Services))
	}
	for name, s := range c.file.Services {
		t.Run(name, func(t *testing.T) { checkService(t, name, s) })
	}
	for name, s := range c.file.Secrets {
		if info, err := os.Stat(s.File); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("secret %s: setup.sh makes no %s that a container's user can read: %v", name, s.File, err)
		}
		if !slices.ContainsFunc(mapped(c.file.Services), func(used string) bool { return used == name }) {
			t.Errorf("secret %s is of no use", name)
		}
	}
	if info, err := os.Stat(filepath.Join(c.dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the secrets is for others, too: %v %v", info.Mode(), err)
	}
}

func checkService(t *testing.T, name string, s composeService) {
	t.Helper()
	if _, tag, _ := strings.Cut(s.Image, ":"); tag == "" || tag == "latest" {
		t.Errorf("image %s is not pinned", s.Image)
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			t.Errorf("a port is open beyond this machine, on %q", p.HostIP)
		}
	}
	if s.MemLimit == "" || s.Restart == "" {
		t.Errorf("memory is bounded by %q, restart is %q", s.MemLimit, s.Restart)
	}
	for variable, value := range s.Environment {
		if secretly := strings.Contains(value, "://") && strings.Contains(value, "@"); secretly {
			t.Errorf("%s has a password in it", variable)
		}
	}
	// The host is an engine, which can't do with less; the one that ends is not
	// asked for its health.
	if host := name == "etl-1"; host != s.Privileged {
		t.Errorf("privileged: %v", s.Privileged)
	} else if !host && (!s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true")) {
		t.Errorf("it may do more than it must: %+v", s)
	}
	if name != "airflow-init" && len(s.Healthcheck) == 0 {
		t.Error("nobody asks for its health")
	}
}

func mapped(all map[string]composeService) []string {
	var used []string
	for _, s := range all {
		for _, secret := range s.Secrets {
			used = append(used, secret.Source)
		}
	}
	return used
}

// A second time setup.sh leaves everything as it is.
func TestComposeSetupAgain(t *testing.T) {
	c := newComposed(t.Context(), t)
	before := c.run(exec.Command("sh", "-c", "cat secrets/*"))
	if out := c.run(exec.Command("sh", "setup.sh")); out != "" {
		t.Errorf("it says %s", out)
	}
	if after := c.run(exec.Command("sh", "-c", "cat secrets/*")); after != before {
		t.Error("secrets are others than before")
	}
}

// Airflow asks these commands for what it keeps secret. What they print is taken
// with the newline at its end, and the name of a database that has one is another.
func TestComposeAirflowSecrets(t *testing.T) {
	c := newComposed(t.Context(), t)
	said := make(map[string]string)
	for variable, command := range c.file.Services[airflowService].Environment {
		if name, asked := strings.CutSuffix(variable, "_CMD"); asked {
			command = strings.ReplaceAll(command, "$$", "$") // as docker compose config writes it
			command = strings.ReplaceAll(command, "/run/secrets/", filepath.Join(c.dir, "secrets")+"/")
			out, err := exec.CommandContext(t.Context(), "sh", "-euc", command).Output()
			if err != nil || len(out) == 0 {
				t.Errorf("%s: %s prints %q: %v", variable, command, out, err)
			}
			said[name] = string(out)
		}
	}
	if len(said) != 4 {
		t.Errorf("Airflow asks for %d secrets, want 4", len(said))
	}
	const form = `^postgresql\+psycopg2://airflow:[0-9a-f]{64}@postgres/airflow$`
	if url := said["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]; !regexp.MustCompile(form).MatchString(url) {
		t.Errorf("the database is at %q", url)
	}
}
