package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRedacted(t *testing.T) {
	t.Parallel()
	config := mustLoad(t, "testdata/full.yaml")
	got, err := config.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cr3t", "from-a-file", "thirty-two", "dGhpcnR5LXR3", "hunter2"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("it tells %q:\n%s", secret, got)
		}
	}
	// Paths are absolute: the folder of the test is not part of what is compared.
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "testdata/full.redacted", strings.ReplaceAll(string(got), folder, "FOLDER"))

	again := mustLoad(t, write(t, string(got)))
	config.Registries[0].Password = masked
	config.HostsFile = "" // its hosts are written among the others
	if diff := cmp.Diff(config, again, comparers()); diff != "" {
		t.Errorf("loaded again (-first +again):\n%s", diff)
	}
}

func TestRedactedDefault(t *testing.T) {
	t.Parallel()
	got, err := Default().Redacted()
	if err != nil {
		t.Fatal(err)
	}
	want := `server:
  listen: 127.0.0.1:8470
  link_life: 168h
  limits:
    rate: 50/s
    followers: 500
state:
  path: /var/lib/prewarm
  keep: 2160h
prune:
  schedule: 17 3 * * *
  min_age: 24h
  keep_min: 1
  unmanaged: keep
runner:
  grace: 10s
  queue: 1000
  unclaimed: stop
  keep: 720h
  max_result: 1m
  logs:
    cap: 1g
    keep: 720h
    total: 10g
`
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
