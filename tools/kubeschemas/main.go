// Command kubeschemas writes JSON schemas of what Kubernetes takes, for
// kubeconform: one file for each kind, made of the documents that the Go modules
// of Kubernetes, the Prometheus operator and the Gateway API carry.
//
//	go run ./tools/kubeschemas -out DIR -kubernetes V -prometheus-operator V -gateway-api V
//
// kubeconform itself would get them from GitHub at each run. The files are
// strict: a field that a kind does not have is refused, as the API server warns
// of it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

func main() {
	if err := execute(); err != nil {
		fmt.Fprintln(os.Stderr, "kubeschemas:", err)
		os.Exit(1)
	}
}

func execute() error {
	out := flag.String("out", "", "folder that the schemas are written to; it must not be there")
	kubernetes := flag.String("kubernetes", "", "version of k8s.io/kubernetes, as in v1.36.3")
	prometheus := flag.String("prometheus-operator", "", "version of the Prometheus operator")
	gateway := flag.String("gateway-api", "", "version of the Gateway API")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return write(*out,
		func() (map[string]any, error) { return builtIn(ctx, *kubernetes) },
		func() (map[string]any, error) {
			return custom(ctx, "github.com/prometheus-operator/prometheus-operator", *prometheus, "example/prometheus-operator-crd")
		},
		func() (map[string]any, error) {
			return custom(ctx, "sigs.k8s.io/gateway-api", *gateway, "config/crd/standard")
		},
	)
}

// write makes the folder at once, when it is complete.
func write(out string, sources ...func() (map[string]any, error)) error {
	if out == "" {
		return fmt.Errorf("-out is missing")
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".kubeschemas-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // it is gone where all went well
	for _, source := range sources {
		files, err := source()
		if err != nil {
			return err
		}
		for name, schema := range files {
			text, err := json.Marshal(schema)
			if err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	return os.Rename(work, out)
}

// module gives the folder of a module, which is downloaded where it is not there.
func module(ctx context.Context, path, version string) (dir string, err error) {
	if version == "" {
		return "", fmt.Errorf("the version of %s is missing", path)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path+"@"+version)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// go says what went wrong in the JSON, too.
	runErr := cmd.Run()
	var told struct{ Dir, Error string }
	if err := json.Unmarshal(stdout.Bytes(), &told); err != nil {
		return "", fmt.Errorf("download %s@%s: %w: %s", path, version, runErr, stderr.String())
	}
	if runErr != nil {
		return "", fmt.Errorf("download %s@%s: %w: %s", path, version, runErr, told.Error)
	}
	return told.Dir, nil
}
