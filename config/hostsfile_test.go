package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fleet that scales to nothing and back must not stop anything: its images
// wait for hosts.
func TestHostsFileMayBeEmpty(t *testing.T) {
	t.Parallel()
	path := write(t, "hosts_file: fleet/hosts.yaml\nimages: [{name: jobs, repository: node, hosts: {pool: spot}}]")
	file := filepath.Join(filepath.Dir(path), "fleet", "hosts.yaml")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"hosts: []": nil,
		"hosts:":    nil,
		"hosts: [{name: b, endpoint: unix:///b}, {name: a, endpoint: unix:///a}]": {"b", "a"},
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := mustLoad(t, path)
		var names []string
		for _, h := range c.Hosts {
			names = append(names, h.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" || c.HostsFile != file {
			t.Errorf("hosts file %s with %q (-want +got):\n%s", c.HostsFile, text, diff)
		}
	}
}

func TestHostsFileOfTheEnvironment(t *testing.T) {
	t.Parallel()
	path := write(t, "hosts: [{name: a, endpoint: unix:///a}]\nhosts_file: none.yaml\n")
	file := filepath.Join(filepath.Dir(path), "more.yaml")
	if err := os.WriteFile(file, []byte("hosts: [{name: b, endpoint: unix:///b}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, path, "PREWARM_HOSTS_FILE=more.yaml").Hosts; len(got) != 2 || got[1].Name != "b" {
		t.Errorf("hosts = %+v", got)
	}
	got := refused(t, path, []string{"PREWARM_HOSTS_FILE=more.yaml", "PREWARM_HOSTS=[{name: b, endpoint: unix:///c}]"})
	want := file + `:1: hosts[0].name "b": hosts[0] of PREWARM_HOSTS has this name already; choose another name, or make one entry of the two`
	if got.Error() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
