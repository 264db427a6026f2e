package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// definitions is the file with what the kinds have in common.
const (
	definitions = "_definitions.json"
	objectMeta  = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
)

// builtIn gives the kinds of Kubernetes itself, by their file names.
func builtIn(ctx context.Context, version string) (map[string]any, error) {
	dir, err := module(ctx, "k8s.io/kubernetes", version)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "api/openapi-spec/swagger.json"))
	if err != nil {
		return nil, err
	}
	var document struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read the document of Kubernetes %s: %w", version, err)
	}
	files := map[string]any{definitions: map[string]any{"definitions": document.Definitions}}
	for name, schema := range document.Definitions {
		relax(name, schema)
		strict(schema)
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		// What has several is part of many kinds, as DeleteOptions is.
		if len(kinds) != 1 {
			continue
		}
		kind := kinds[0].(map[string]any)
		file := fileName(asText(kind["kind"]), asText(kind["group"]), asText(kind["version"]))
		files[file] = map[string]any{"$ref": definitions + "#/definitions/" + name}
	}
	return files, nil
}

// relax lets quantities and ports be numbers: Kubernetes' document calls them
// text, and the API server takes both.
func relax(name string, schema map[string]any) {
	if strings.HasSuffix(name, ".Quantity") || schema["format"] == "int-or-string" {
		delete(schema, "type")
		delete(schema, "format")
		schema["type"] = []any{"string", "number"}
	}
}

// custom gives the kinds that the definitions in a folder of a module describe.
func custom(ctx context.Context, path, version, folder string) (map[string]any, error) {
	dir, err := module(ctx, path, version)
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(dir, folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	files := make(map[string]any)
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := addCustom(files, text); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s@%s has no definitions in %s", path, version, folder)
	}
	return files, nil
}

// resource is what matters of a CustomResourceDefinition.
type resource struct {
	Kind string
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct {
				OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
			}
		}
	}
}

func addCustom(files map[string]any, text []byte) error {
	var r resource
	if err := yaml.Unmarshal(text, &r); err != nil {
		return err
	}
	if r.Kind != "CustomResourceDefinition" {
		return nil // a kustomization, say
	}
	for _, version := range r.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		strict(schema)
		if properties, ok := schema["properties"].(map[string]any); ok {
			properties["metadata"] = map[string]any{"$ref": definitions + "#/definitions/" + objectMeta}
		}
		files[fileName(r.Spec.Names.Kind, r.Spec.Group, version.Name)] = schema
	}
	return nil
}

// fileName is kubeconform's {{.ResourceKind}}{{.KindSuffix}}.json.
func fileName(kind, group, version string) string {
	name := strings.ToLower(kind)
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		name += "-" + first
	}
	return name + "-" + strings.ToLower(version) + ".json"
}

// strict refuses fields that are not described, and makes references lead to the
// file of definitions.
func strict(node any) {
	switch node := node.(type) {
	case map[string]any:
		_, described := node["properties"].(map[string]any)
		_, open := node["additionalProperties"]
		if described && !open && node["x-kubernetes-preserve-unknown-fields"] != true {
			node["additionalProperties"] = false
		}
		if ref, ok := node["$ref"].(string); ok {
			node["$ref"] = strings.Replace(ref, "#/definitions/", definitions+"#/definitions/", 1)
		}
		for _, child := range node {
			strict(child)
		}
	case []any:
		for _, child := range node {
			strict(child)
		}
	}
}

// asText is a value that is text.
func asText(value any) string {
	s, _ := value.(string)
	return s
}
