//go:build chart

package chart

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestGuide tries what docs/install/kubernetes.md shows: values are rendered,
// and the program reads what they make of its configuration; objects are held
// against the schemas.
func TestGuide(t *testing.T) {
	prewarm := program(t)
	blocks := yamlBlock.FindAllSubmatch(read(t, filepath.Join(docs, "install", "kubernetes.md")), -1)
	if len(blocks) < 5 {
		t.Fatalf("found %d blocks of YAML; there are more", len(blocks))
	}
	for i, block := range blocks {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			text := block[1]
			switch {
			case bytes.Contains(text, []byte("cert-manager.io")):
				return // another program's, of which there is no schema here
			case bytes.HasPrefix(text, []byte("apiVersion:")):
				conforms(t, text)
				return
			}
			values := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(values, text, 0o644); err != nil {
				t.Fatal(err)
			}
			rendered := render(t, values)
			conforms(t, rendered)
			p := start(t, rendered)
			cmd := exec.Command(prewarm, "config", "check", "--config", p.config)
			cmd.Env = p.env()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, out, text)
			}
		})
	}
}
