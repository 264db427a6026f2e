package config

import (
	"reflect"
	"strings"
)

// The structs below are the file as it is written, before any check: the walk
// takes the known keys from them, viper fills them, and Redacted writes them, in
// this order. Key names are in the mapstructure tags and again, for writing, in
// the yaml tags. Whether a key was written is asked of the reader, not of a
// zero value: "runs: 0" is a mistake, a missing "runs" is 8.
type document struct {
	Server     serverDoc     `mapstructure:"server" yaml:"server"`
	State      stateDoc      `mapstructure:"state" yaml:"state"`
	Registries []registryDoc `mapstructure:"registries" yaml:"registries,omitempty"`
	Hosts      []hostDoc     `mapstructure:"hosts" yaml:"hosts,omitempty"`
	Images     []imageDoc    `mapstructure:"images" yaml:"images,omitempty"`
}

type serverDoc struct {
	Listen string `mapstructure:"listen" yaml:"listen"`
}

type stateDoc struct {
	Path string `mapstructure:"path" yaml:"path"`
}

type registryDoc struct {
	Name         string `mapstructure:"name" yaml:"name"`
	Username     string `mapstructure:"username" yaml:"username,omitempty"`
	Password     Secret `mapstructure:"password" yaml:"password,omitempty"`
	PasswordFile string `mapstructure:"password_file" yaml:"password_file,omitempty"`
	PlainHTTP    bool   `mapstructure:"plain_http" yaml:"plain_http,omitempty"`
}

type hostDoc struct {
	Name     string            `mapstructure:"name" yaml:"name"`
	Endpoint string            `mapstructure:"endpoint" yaml:"endpoint"`
	Insecure bool              `mapstructure:"insecure" yaml:"insecure,omitempty"`
	Labels   map[string]string `mapstructure:"labels" yaml:"labels,omitempty"`
	Limits   limitsDoc         `mapstructure:"limits" yaml:"limits"`
}

type limitsDoc struct {
	Pulls int `mapstructure:"pulls" yaml:"pulls"`
	Runs  int `mapstructure:"runs" yaml:"runs"`
}

type imageDoc struct {
	Name       string            `mapstructure:"name" yaml:"name"`
	Repository string            `mapstructure:"repository" yaml:"repository"`
	Track      trackDoc          `mapstructure:"track" yaml:"track"`
	Hosts      map[string]string `mapstructure:"hosts" yaml:"hosts,omitempty"`
	Watch      string            `mapstructure:"watch" yaml:"watch,omitempty"`
}

type trackDoc struct {
	Tag    string `mapstructure:"tag" yaml:"tag,omitempty"`
	Digest string `mapstructure:"digest" yaml:"digest,omitempty"`
}

// field is a key of a mapping.
type field struct {
	key string
	typ reflect.Type
}

// fieldsOf lists the keys that a struct of the document knows.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		fields = append(fields, field{key: f.Tag.Get("mapstructure"), typ: f.Type})
	}
	return fields
}

// setting is a key that can be set as a whole from the environment: a scalar
// outside of lists, or a list.
type setting struct {
	path string // as in messages: server.listen
	typ  reflect.Type
}

func (s setting) key() string { return strings.ReplaceAll(s.path, ".", delimiter) }

// variable is the name of its environment variable.
func (s setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

// settings lists them, in the order of the document.
func settings() []setting { return settingsOf(reflect.TypeFor[document](), "") }

func settingsOf(t reflect.Type, prefix string) []setting {
	var list []setting
	for _, f := range fieldsOf(t) {
		if f.typ.Kind() == reflect.Struct {
			list = append(list, settingsOf(f.typ, prefix+f.key+".")...)
			continue
		}
		list = append(list, setting{path: prefix + f.key, typ: f.typ})
	}
	return list
}
