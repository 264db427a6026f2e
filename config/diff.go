package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Diff tells what differs between two configurations, a line each, in the order
// of the configuration: "images: added node-jobs", "hosts etl-1: limits.pulls 2
// -> 4". Of a secret it tells only that it changed. What is in the files of
// certificates of registries and hosts is not compared.
func Diff(old, new *Config) []string {
	lines := compare("", reflect.ValueOf(old.compared()), reflect.ValueOf(new.compared()))
	if a, b := old.Runner, new.Runner; a.SecretKeyFile == b.SecretKeyFile && a.SecretKey != b.SecretKey {
		lines = append(lines, "runner.secret_key_file holds another key")
	}
	return append(lines, renewed(old, new)...)
}

// compared is the document with what Redacted leaves out.
func (c *Config) compared() document {
	doc := c.document()
	doc.HostsFile = c.HostsFile
	for i, reg := range c.Registries {
		doc.Registries[i].Password = reg.Password
	}
	return doc
}

// compare tells the differences of two structs of the document. Paths are
// written behind prefix.
func compare(prefix string, a, b reflect.Value) []string {
	var lines []string
	for i := range a.NumField() {
		f := a.Type().Field(i)
		path := join(prefix, f.Tag.Get("mapstructure"))
		x, y := a.Field(i), b.Field(i)
		switch {
		case reflect.DeepEqual(x.Interface(), y.Interface()):
		case isSection(f.Type) && (x.IsNil() || y.IsNil()):
			lines = append(lines, path+addedOrRemoved(x.IsNil()))
		case isSection(f.Type):
			lines = append(lines, compare(path, x.Elem(), y.Elem())...)
		case f.Type.Kind() == reflect.Struct:
			lines = append(lines, compare(path, x, y)...)
		case isNamed(f.Type):
			lines = append(lines, compareEntries(path, byName(x), byName(y))...)
		case f.Type == reflect.TypeFor[plainList]():
			lines = append(lines, fmt.Sprintf("%s %s -> %s", path, listText(x), listText(y)))
		case f.Type.Kind() == reflect.Slice || f.Type == reflect.TypeFor[Secret]():
			lines = append(lines, path+" changed")
		default:
			lines = append(lines, fmt.Sprintf("%s %s -> %s", path, plainValue(f, x), plainValue(f, y)))
		}
	}
	return lines
}

// isSection tells whether t is a mapping that says something even if it is
// empty.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// isNamed tells whether t is a list of entries with names.
func isNamed(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && fieldsOf(t.Elem())[0].key == "name"
}

// plainValue is a value as a person would write it.
func plainValue(f reflect.StructField, v reflect.Value) string {
	switch {
	case v.IsZero() && f.Type.Kind() != reflect.Bool && strings.HasSuffix(f.Tag.Get("yaml"), ",omitempty"):
		return "none"
	case f.Type.Kind() == reflect.Map:
		labels, _ := v.Convert(reflect.TypeFor[map[string]string]()).Interface().(map[string]string)
		return selector(labels)
	}
	return fmt.Sprint(reflect.Indirect(v).Interface())
}

func listText(v reflect.Value) string {
	list, _ := v.Interface().(plainList)
	if len(list) == 0 {
		return "none"
	}
	if text := strings.Join(list, ", "); text != "none" { // a network has that name
		return text
	}
	return "[none]"
}

// entries are the entries of a list, in order and by name.
type entries struct {
	names  []string
	byName map[string]reflect.Value
}

func byName(list reflect.Value) entries {
	e := entries{byName: make(map[string]reflect.Value)}
	for i := range list.Len() {
		name := list.Index(i).FieldByName("Name").String()
		e.names = append(e.names, name)
		e.byName[name] = list.Index(i)
	}
	return e
}

func compareEntries(list string, old, new entries) []string {
	var lines []string
	for _, name := range old.names {
		was := old.byName[name]
		is, ok := new.byName[name]
		if !ok {
			lines = append(lines, list+": removed "+name)
			continue
		}
		for _, line := range compare("", was, is) {
			lines = append(lines, list+" "+name+": "+line)
		}
	}
	for _, name := range new.names {
		if _, ok := old.byName[name]; !ok {
			lines = append(lines, list+": added "+name)
		}
	}
	return lines
}

func addedOrRemoved(added bool) string {
	if added {
		return " added"
	}
	return " removed"
}
