package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is written as JSON is YAML as well, so it loads as what was written.
func TestMarshalJSON(t *testing.T) {
	t.Parallel()
	config := mustLoad(t, "testdata/full.yaml")
	got, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cr3t", "from-a-file", "thirty-two", "dGhpcnR5LXR3"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("it tells %q:\n%s", secret, got)
		}
	}
	again := mustLoad(t, write(t, string(got)))
	config.Registries[0].Password = masked
	config.HostsFile = "" // its hosts are written among the others
	if diff := cmp.Diff(config, again, comparers()); diff != "" {
		t.Errorf("loaded again (-first +again):\n%s", diff)
	}
}
