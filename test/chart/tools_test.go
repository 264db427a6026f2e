//go:build chart

package chart

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// tool gives the path of a tool that make chart-test built.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run make chart-test, which builds the tools and says where they are", variable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v; run make chart-test", variable, err)
	}
	return path
}

// run gives what a command prints, and fails the test where it fails.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	// Nothing of the user's Helm, such as plugins, takes part.
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes()
}

// render is what helm install would send, with the values of a file, or the
// chart's own where there is none. A release that is called y tells whether a
// text is quoted where YAML needs it.
func render(t *testing.T, values string) []byte {
	t.Helper()
	args := []string{"template", "y", chart, "--namespace", "etl"}
	if values != "" {
		args = append(args, "--values", values)
	}
	return run(t, nil, tool(t, "HELM"), args...)
}

// refused gives what a command prints that has to fail.
func refused(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("%s %q: it was taken: %s", name, args, out)
	}
	return string(out)
}
