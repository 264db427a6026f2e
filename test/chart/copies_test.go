package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the generated files of the chart and the rendered examples anew")

// chart is the folder of the chart, and docs what it takes over.
const (
	chart = "../../charts/prewarm"
	docs  = "../../docs"
)

// TestCopies holds what the chart has from docs against it: helm package takes
// only what is below the chart's folder.
func TestCopies(t *testing.T) {
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		t.Run(name, func(t *testing.T) {
			same(t, filepath.Join(chart, "files", name), read(t, filepath.Join(docs, "monitoring", name)), "make generate")
		})
	}
	t.Run("values.schema.json", func(t *testing.T) {
		path := filepath.Join(chart, "values.schema.json")
		same(t, path, withConfiguration(t, read(t, path), read(t, filepath.Join(docs, "prewarm.schema.json"))), "make generate")
	})
}

// withConfiguration gives the schema of the values with the schema of the
// configuration in its place: the rest of it is written by hand.
func withConfiguration(t *testing.T, values, configuration []byte) []byte {
	t.Helper()
	// Its references count from the top of a document, which is another one here.
	configuration = bytes.ReplaceAll(configuration, []byte(`"#/$defs/`), []byte(`"#/$defs/prewarm/$defs/`))
	prewarm := object(t, configuration)
	delete(prewarm, "$schema")
	asHelmReads(prewarm)
	token := prewarm["$defs"].(map[string]any)["token"].(map[string]any)

	schema := object(t, values)
	defs := schema["$defs"].(map[string]any)
	defs["prewarm"] = prewarm
	defs["token"] = ofChart(token)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ofChart is the schema of a token that the chart makes: its name is a key of the
// values, and its file is the chart's.
func ofChart(token map[string]any) map[string]any {
	properties := make(map[string]any)
	for name, property := range token["properties"].(map[string]any) {
		if name != "name" && name != "token" && name != "token_file" {
			properties[name] = property
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": []any{"scopes"}, "additionalProperties": false}
}

// asHelmReads leaves only text where Prewarm takes a number or true as the text
// that it was written as: Helm reads the tag 1.10 as the number 1.1 before any
// template sees it, so it has to be quoted.
func asHelmReads(node any) {
	switch node := node.(type) {
	case map[string]any:
		if types, ok := node["type"].([]any); ok && contains(types, "string") && contains(types, "number") {
			node["type"] = "string"
		}
		for _, child := range node {
			asHelmReads(child)
		}
	case []any:
		for _, child := range node {
			asHelmReads(child)
		}
	}
}

func contains(list []any, wanted string) bool {
	for _, entry := range list {
		if entry == wanted {
			return true
		}
	}
	return false
}

func object(t *testing.T, text []byte) (o map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// same fails where a file does not hold what it should, or writes it with -update.
func same(t *testing.T, path string, want []byte, command string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what it is made from: run %s, and look at what it changed (%v)", path, command, err)
	}
}
