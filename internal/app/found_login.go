package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// FindCredentials says where the server would find a login for a registry, as
// Docker's own command line does; empty where there is none. No credential is
// read out of it, and no helper is asked.
func FindCredentials(getenv func(string) string, registryHost string) string {
	for _, path := range credentialFiles(getenv) {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		return readDockerFile(path).login(path, registryHost) // the first that is there is the one that counts
	}
	return ""
}

// credentialFiles are Docker's, then those of podman, in the order in which the
// registry's client looks for them.
func credentialFiles(getenv func(string) string) []string {
	var paths []string
	if dir := dockerFolder(getenv); dir != "" {
		paths = append(paths, filepath.Join(dir, "config.json"))
	}
	if path := getenv("REGISTRY_AUTH_FILE"); path != "" {
		paths = append(paths, path)
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "containers/auth.json"))
	}
	return paths
}

func (f dockerFile) login(path, registryHost string) string {
	names := []string{registryHost, "https://" + registryHost, "http://" + registryHost}
	if registryHost == hubHost {
		names = append(names, "https://index.docker.io/v1/", "index.docker.io")
	}
	helped := func(name string) bool { return f.Helpers[name] != "" }
	if i := slices.IndexFunc(names, helped); i >= 0 {
		return fmt.Sprintf("%s, by docker-credential-%s", path, f.Helpers[names[i]])
	}
	listed := slices.ContainsFunc(names, func(name string) bool { return f.Auths[name] != nil })
	switch {
	case listed && f.Store != "":
		return fmt.Sprintf("%s, by docker-credential-%s", path, f.Store)
	case listed:
		return path
	}
	return ""
}

const hubHost = "docker.io"
