package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var yamlExamples = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The page for users is part of the promise: its examples load, and it names
// every key and variable.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := yamlExamples.FindAllStringSubmatch(string(page), -1)
	if len(examples) < 2 {
		t.Errorf("%d examples in the page", len(examples))
	}
	for _, example := range examples {
		mustLoad(t, writeExample(t, example[1]))
	}
	for _, s := range settings() {
		if !strings.Contains(string(page), "`"+s.variable()+"`") {
			t.Errorf("the page does not name %s", s.variable())
		}
		for _, key := range leaves(s.typ, s.path) {
			if !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("the page does not describe %s of %s", key, s.path)
			}
		}
	}
}

// writeExample puts the files that the examples name beside one.
func writeExample(t *testing.T, text string) string {
	t.Helper()
	path := write(t, text)
	folder := filepath.Dir(path)
	for name, file := range map[string]string{
		"certs": "testdata/certs", "hosts.yaml": "testdata/hosts.yaml",
		"secrets/password": "testdata/secrets/password", "secrets/known_hosts": "testdata/secrets/known_hosts", "secrets/id_ed25519": "testdata/certs/client.key",
		"secrets/secret.key": "testdata/secrets/secret.key", "secrets/airflow": "testdata/secrets/token", "secrets/deploy": "testdata/secrets/previous",
		"secrets/ci-hook": "testdata/secrets/token", "secrets/ci-hook.old": "testdata/secrets/previous",
		"secrets/hub-path": "testdata/secrets/path", "secrets/hub-path.old": "testdata/secrets/slack-token",
		"secrets/slack-url": "testdata/secrets/slack-url", "secrets/slack-bot": "testdata/secrets/slack-token", "secrets/tickets": "testdata/secrets/token",
	} {
		target, err := filepath.Abs(file)
		if err == nil {
			err = os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o700)
		}
		if err == nil {
			err = os.Symlink(target, filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// leaves are the keys to be described for a setting: server.listen, and within
// a list limits.pulls.
func leaves(typ reflect.Type, path string) []string {
	if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
		return leaves(typ.Elem(), "")
	}
	if typ.Kind() != reflect.Struct {
		return []string{path}
	}
	var keys []string
	for _, f := range fieldsOf(typ) {
		keys = append(keys, leaves(f.typ, join(path, f.key))...)
	}
	return keys
}

// The examples of other pages are configurations, too, but for the files that
// they name.
func TestExamplesOfOtherPages(t *testing.T) {
	t.Parallel()
	for page, least := range map[string]int{"registries.md": 10, "story.md": 1} {
		text, err := os.ReadFile(filepath.Join("../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		examples := yamlExamples.FindAllStringSubmatch(string(text), -1)
		if len(examples) < least {
			t.Errorf("%s: %d examples", page, len(examples))
		}
		for _, example := range examples {
			_, err := Load(write(t, example[1]), nil)
			if err == nil {
				continue
			}
			for _, mistake := range strings.Split(err.Error(), "\n") {
				if !strings.Contains(mistake, "it does not exist") && strings.Contains(mistake, "prewarm.yaml:") {
					t.Errorf("%s:\n%s%s", page, example[1], mistake)
				}
			}
		}
	}
}
