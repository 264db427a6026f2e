//go:build chart

package chart

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// pod is what a container of the rendered Deployment finds: its configuration,
// its secrets and its environment, in folders of the test.
type pod struct {
	config  string // the path of prewarm.yaml
	environ []string
}

// objectOf is what matters here of an object.
type objectOf struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Env          []struct{ Name, Value string }
					VolumeMounts []struct {
						Name      string
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
				Volumes []struct {
					Name   string
					Secret struct {
						SecretName string `yaml:"secretName"`
					}
					ConfigMap struct{ Name string } `yaml:"configMap"`
				}
			}
		}
	}
}

func objectsOf(t *testing.T, rendered []byte) (found []objectOf) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(rendered))
	for {
		var o objectOf
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, o)
	}
}

// files are the content of each ConfigMap and Secret, by kind and name: those
// that were rendered, over those that the examples say are there already.
func files(t *testing.T, objects []objectOf) map[string]map[string][]byte {
	t.Helper()
	found := existing(t)
	for _, o := range objects {
		if o.Kind != "Secret" && o.Kind != "ConfigMap" {
			continue
		}
		content := make(map[string][]byte)
		for name, text := range o.Data {
			content[name] = []byte(text)
			if o.Kind == "Secret" {
				var err error
				if content[name], err = base64.StdEncoding.DecodeString(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		found[o.Kind+" "+o.Metadata.Name] = content
	}
	return found
}

// start mounts what the Deployment says below a folder of the test, and makes
// everything that names a place of the container name that one.
func start(t *testing.T, rendered []byte) pod {
	t.Helper()
	objects := objectsOf(t, rendered)
	content := files(t, objects)
	place := t.TempDir()
	moved := strings.NewReplacer("/run/secrets/prewarm", filepath.Join(place, "run/secrets/prewarm"), "/var/lib/prewarm", filepath.Join(place, "var/lib/prewarm"))
	for _, o := range objects {
		if o.Kind != "Deployment" {
			continue
		}
		spec := o.Spec.Template.Spec
		sources := make(map[string]map[string][]byte)
		for _, v := range spec.Volumes {
			sources[v.Name] = content["Secret "+v.Secret.SecretName]
			if v.ConfigMap.Name != "" {
				sources[v.Name] = content["ConfigMap "+v.ConfigMap.Name]
			}
			if sources[v.Name] == nil && v.Secret.SecretName+v.ConfigMap.Name != "" {
				t.Fatalf("volume %s is of a Secret or ConfigMap that there is not: write it down in existing", v.Name)
			}
		}
		for _, m := range spec.Containers[0].VolumeMounts {
			mount(t, filepath.Join(place, m.MountPath), sources[m.Name], moved)
		}
		p := pod{config: filepath.Join(place, "etc/prewarm/prewarm.yaml")}
		for _, e := range spec.Containers[0].Env {
			p.environ = append(p.environ, e.Name+"="+moved.Replace(e.Value))
		}
		return p
	}
	t.Fatal("there is no Deployment")
	return pod{}
}

func mount(t *testing.T, folder string, content map[string][]byte, moved *strings.Replacer) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(moved.Replace(string(text))), 0o440); err != nil {
			t.Fatal(err)
		}
	}
}
