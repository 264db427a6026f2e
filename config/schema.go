package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

const (
	schemaDialect = "https://json-schema.org/draft/2020-12/schema"
	schemaTitle   = "Prewarm configuration"
)

// schema is the part of JSON Schema that we write.
type schema struct {
	Schema               string              `json:"$schema,omitempty"`
	Title                string              `json:"title,omitempty"`
	Ref                  string              `json:"$ref,omitempty"`
	Description          string              `json:"description,omitempty"`
	Type                 any                 `json:"type,omitempty"` // a name, or several
	Enum                 []string            `json:"enum,omitempty"`
	Pattern              string              `json:"pattern,omitempty"`
	Minimum              *int                `json:"minimum,omitempty"`
	MinLength            int                 `json:"minLength,omitempty"`
	MinItems             int                 `json:"minItems,omitempty"`
	MaxProperties        int                 `json:"maxProperties,omitempty"`
	Default              any                 `json:"default,omitempty"`
	Items                *schema             `json:"items,omitempty"`
	Properties           map[string]*schema  `json:"properties,omitempty"`
	PropertyNames        *schema             `json:"propertyNames,omitempty"`
	Required             []string            `json:"required,omitempty"`
	DependentRequired    map[string][]string `json:"dependentRequired,omitempty"`
	Not                  *schema             `json:"not,omitempty"`
	AdditionalProperties any                 `json:"additionalProperties,omitempty"` // false, or a schema
	Defs                 map[string]*schema  `json:"$defs,omitempty"`
}

// Schema is the JSON Schema (2020-12) of the configuration file, for editors. It
// refuses nothing that Load takes, but for keys without a value, numbers in
// quotes and YAML's other spellings of true and false; it can't see all that Load
// refuses.
func Schema() ([]byte, error) {
	root := &schema{Schema: schemaDialect, Title: schemaTitle, Defs: make(map[string]*schema)}
	root.define(root, reflect.TypeFor[document]())
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the configuration's schema: %w", err)
	}
	return append(text, '\n'), nil
}

// define describes a struct of the document in s.
func (root *schema) define(s *schema, t reflect.Type) {
	name := defName(t)
	s.Type, s.AdditionalProperties, s.Properties = "object", false, make(map[string]*schema)
	for _, f := range fieldsOf(t) {
		k := keys[name+"."+f.key]
		s.Properties[f.key] = root.value(f.typ, k)
		if k.required {
			s.Required = append(s.Required, f.key)
		}
	}
	if rule, ok := rules[name]; ok {
		s.MaxProperties, s.DependentRequired = rule.most, rule.together
		if len(rule.apart) > 0 {
			s.Not = &schema{Required: rule.apart}
		}
	}
}

// value describes what a key may have.
func (root *schema) value(t reflect.Type, k key) *schema {
	s := &schema{Description: k.about, Default: k.standard}
	switch t.Kind() {
	case reflect.Struct:
		s.Ref = root.reference(t)
	case reflect.Slice:
		s.Type, s.MinItems = "array", k.least
		s.Items = root.value(t.Elem(), key{pattern: k.pattern, oneOf: k.oneOf})
	case reflect.Map:
		s.Type, s.PropertyNames = "object", &schema{Pattern: labelKey.String()}
		s.AdditionalProperties = &schema{Type: anyScalar, MinLength: 1}
	case reflect.Int:
		s.Type, s.Minimum = "integer", &k.least
	case reflect.Bool:
		s.Type = "boolean"
	default:
		s.Type, s.Enum, s.Pattern, s.MinLength = "string", k.oneOf, k.pattern, k.least
		if k.bare {
			s.Type = anyScalar
		}
	}
	return s
}

// anyScalar is what a value may seem to be that is read by its text: to YAML the
// tag 1.10 is a number.
var anyScalar = []string{"string", "number", "boolean"}

// reference describes a struct once, and refers to it.
func (root *schema) reference(t reflect.Type) string {
	name := defName(t)
	if root.Defs[name] == nil {
		def := &schema{}
		root.Defs[name] = def
		root.define(def, t)
	}
	return "#/$defs/" + name
}

// defName is the name of a struct of the document: host for hostDoc.
func defName(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "Doc") }
