package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddCustom(t *testing.T) {
	files := make(map[string]any)
	if err := addCustom(files, []byte(`
kind: CustomResourceDefinition
spec:
  group: monitoring.coreos.com
  names: {kind: ServiceMonitor}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            metadata: {type: object}
            spec:
              properties:
                free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
                map: {type: object, additionalProperties: {type: string}}
`)); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"servicemonitor-monitoring-v1.json":{"additionalProperties":false,"properties":{` +
		`"metadata":{"$ref":"_definitions.json#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},` +
		`"spec":{"additionalProperties":false,"properties":{` +
		`"free":{"properties":{"a":{"type":"string"}},"type":"object","x-kubernetes-preserve-unknown-fields":true},` +
		`"map":{"additionalProperties":{"type":"string"},"type":"object"}}}},"type":"object"}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestAddCustomPassesOverOthers(t *testing.T) {
	files := make(map[string]any)
	if err := addCustom(files, []byte("kind: Kustomization\nresources: [a.yaml]\n")); err != nil || len(files) != 0 {
		t.Errorf("got %v, %v", files, err)
	}
}

func TestFileName(t *testing.T) {
	for _, c := range []struct{ kind, group, version, want string }{
		{"Service", "", "v1", "service-v1.json"},
		{"NetworkPolicy", "networking.k8s.io", "v1", "networkpolicy-networking-v1.json"},
	} {
		if got := fileName(c.kind, c.group, c.version); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
