package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/docker.json was printed by govulncheck v1.8.0 for internal/docker;
// of the findings a few of each level were kept.
func TestParse(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := parse(f)
	if err != nil {
		t.Fatal(err)
	}
	start := finding{
		id: "GO-2026-4883", module: "github.com/docker/docker", version: "v28.5.2+incompatible",
		symbol: "github.com/docker/docker/client.(*Client).ContainerStart", caller: "github.com/prewarm/prewarm/internal/docker.Start$1",
	}
	other := start
	other.id = "GO-2026-4887"
	if diff := cmp.Diff([]finding{start, other}, got, cmp.AllowUnexported(finding{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"no config":      `{"progress": {"message": "…"}}`,
		"cut off":        `{"config": {"protocol_version": "v1.0.0", "scan_level": "symbol"}} {"finding": {`,
		"other protocol": `{"config": {"protocol_version": "v2.0.0", "scan_level": "symbol"}}`,
		"other level":    `{"config": {"protocol_version": "v1.0.0", "scan_level": "module"}}`,
	} {
		if got, err := parse(strings.NewReader(text)); err == nil {
			t.Errorf("%s: parse = %v and no error", name, got)
		}
	}
}
