package prewarmtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/test/fleet"
)

// What is written is read as it was meant. (The end-to-end tests show it of hosts
// with TLS and ssh, whose files must be real.)
func TestSetupIsAConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	setup := Setup{
		Address: "127.0.0.1:8470", State: dir,
		Registries: []string{
			Registry(&fleet.Registry{Addr: "10.0.0.1:5000"}, "seed: true"),
			Registry(&fleet.Registry{Addr: "10.0.0.1:5001", Accounts: map[string]string{"ci": "secret"}}),
		},
		Hosts: []string{
			Host(&fleet.Host{Name: "etl-1", TCP: "tcp://10.0.0.11:2375"}, "limits: {pulls: 5}"),
			Host(&fleet.Host{Name: "etl-2", TCP: "tcp://10.0.0.12:2375"}),
		},
		Images: []string{"{name: jobs, repository: 10.0.0.1:5000/etl/jobs, hosts: {host: etl-2}}"},
	}
	file := filepath.Join(dir, "prewarm.yaml")
	if err := os.WriteFile(file, []byte(setup.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, setup)
	}
	var got []string
	for _, h := range c.Hosts {
		got = append(got, h.Endpoint)
	}
	if diff := cmp.Diff([]string{"tcp://10.0.0.11:2375", "tcp://10.0.0.12:2375"}, got); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	if c.Hosts[0].Limits.Pulls != 5 || c.Hosts[1].Labels["host"] != "etl-2" || !c.Registries[0].Seed || c.Registries[1].Username != "ci" {
		t.Errorf("read %+v of:\n%s", c, setup)
	}
}
