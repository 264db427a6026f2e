package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/docker"
	"github.com/prewarm/prewarm/warmer"
)

// FoundEngine is an engine that answered on this machine, or a place that was
// looked at, where none did.
type FoundEngine struct {
	Endpoint string `json:"endpoint"`
	From     string `json:"from"` // who names that place: DOCKER_HOST, a Docker context, or custom
	Version  string `json:"version,omitempty"`
	Platform string `json:"platform,omitempty"`
	Why      string `json:"why,omitempty"` // it is of no use; empty for an engine that answered
}

// FindEngines looks where engines of this machine listen by custom, and where
// the environment sends Docker's own command line; those that it names first.
// It changes nothing there.
func FindEngines(ctx context.Context, getenv func(string) string) []FoundEngine {
	places := enginePlaces(getenv)
	var group errgroup.Group
	for i := range places {
		group.Go(func() error {
			places[i].examine(ctx)
			return nil
		})
	}
	_ = group.Wait() // what goes wrong stands with the place
	return places
}

// enginePlaces are where to look, each engine once.
func enginePlaces(getenv func(string) string) []FoundEngine {
	var places []FoundEngine
	seen := make(map[string]bool)
	add := func(endpoint, from string) {
		key := endpoint
		if path, ok := strings.CutPrefix(endpoint, "unix://"); ok {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				key = real // /var/run is /run
			}
		}
		if endpoint != "" && !seen[key] {
			seen[key] = true
			places = append(places, FoundEngine{Endpoint: endpoint, From: from})
		}
	}
	add(getenv("DOCKER_HOST"), "DOCKER_HOST")
	if name, endpoint := dockerContext(getenv); endpoint != "" && getenv("DOCKER_HOST") == "" {
		add(endpoint, "the Docker context "+name)
	}
	add("unix:///var/run/docker.sock", "the usual socket")
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		add("unix://"+filepath.Join(dir, "docker.sock"), "the socket of a rootless engine")
	}
	if home := getenv("HOME"); home != "" {
		add("unix://"+filepath.Join(home, ".docker/run/docker.sock"), "the socket of Docker Desktop")
	}
	return places
}

// examine asks who answers at a place.
func (f *FoundEngine) examine(ctx context.Context) {
	path, local := strings.CutPrefix(f.Endpoint, "unix://")
	if !local {
		f.Why = f.Endpoint + " is no socket of this machine, and belongs into the file by hand (docs/engines.md)"
		return
	}
	if _, err := os.Stat(path); os.IsNotExist(err) {
		f.Why = path + " is not there"
		return
	}
	engine, err := lookAt(ctx, f.Endpoint)
	if err != nil {
		f.Why = err.Error()
		return
	}
	f.Version, f.Platform = engine.Version, engine.Platform.String()
}

func lookAt(ctx context.Context, endpoint string) (warmer.Engine, error) {
	host, err := docker.New(docker.Options{Name: "local", Endpoint: endpoint})
	if err != nil {
		return warmer.Engine{}, err
	}
	defer host.Close()
	return within(ctx, host.Examine)
}

// dockerFolder is where Docker's command line keeps its configuration.
func dockerFolder(getenv func(string) string) string {
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".docker")
	}
	return ""
}

// dockerFile is what is read of Docker's config.json.
type dockerFile struct {
	Auths       map[string]json.RawMessage `json:"auths"`
	Helpers     map[string]string          `json:"credHelpers"`
	Store       string                     `json:"credsStore"`
	ContextName string                     `json:"currentContext"`
}

// readDockerFile reads one; a file that is not there, or is no JSON, has nothing.
func readDockerFile(path string) (f dockerFile) {
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &f) != nil {
		return dockerFile{}
	}
	return f
}

// dockerContext is the context that Docker's command line is in, if it is not the
// default one, and its engine.
func dockerContext(getenv func(string) string) (name, endpoint string) {
	dir := dockerFolder(getenv)
	name = cmp.Or(getenv("DOCKER_CONTEXT"), readDockerFile(filepath.Join(dir, "config.json")).ContextName)
	if dir == "" || name == "" || name == "default" {
		return "", ""
	}
	sum := sha256.Sum256([]byte(name))
	b, err := os.ReadFile(filepath.Join(dir, "contexts/meta", hex.EncodeToString(sum[:]), "meta.json"))
	if err != nil {
		return "", ""
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if json.Unmarshal(b, &meta) != nil {
		return "", ""
	}
	return name, meta.Endpoints["docker"].Host
}
