package runner

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// over lays a submit's spec over the defaults of its image: what the submit
// leaves out is the default's. Variables and labels are taken by name, mounts
// by target.
func (s Spec) over(defaults Spec) Spec {
	merged := defaults
	from, to := reflect.ValueOf(s), reflect.ValueOf(&merged).Elem()
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() && (f.Kind() != reflect.Slice || f.Len() > 0) {
			to.Field(i).Set(f)
		}
	}
	if s.Memory > 0 && s.MemorySwap == 0 {
		merged.MemorySwap = 0 // the default's belongs to the default's memory
	}
	merged.Env = mergeEnv(defaults.Env, s.Env)
	merged.Labels = mergeMap(defaults.Labels, s.Labels)
	merged.Sysctls = mergeMap(defaults.Sysctls, s.Sysctls)
	merged.Mounts = slices.Clone(s.Mounts)
	for _, m := range defaults.Mounts {
		if !slices.ContainsFunc(s.Mounts, func(own Mount) bool { return own.Target == m.Target }) {
			merged.Mounts = append(merged.Mounts, m)
		}
	}
	return merged
}

// mergeEnv joins lists of NAME=value; a later value takes the place of an
// earlier one.
func mergeEnv(lists ...[]string) []string {
	var merged []string
	for _, e := range slices.Concat(lists...) {
		name, _, _ := strings.Cut(e, "=")
		merged = slices.DeleteFunc(merged, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		merged = append(merged, e)
	}
	return merged
}

func mergeMap(under, over map[string]string) map[string]string {
	if len(under)+len(over) == 0 {
		return nil
	}
	merged := maps.Clone(under)
	if merged == nil {
		merged = make(map[string]string)
	}
	maps.Copy(merged, over)
	return merged
}

// differences names the fields in which two specs are different pieces of work,
// in the order of Spec and the words of the API; values are never told.
func differences(a, b Spec) []string {
	var names []string
	x, y := reflect.ValueOf(a.work()), reflect.ValueOf(b.work())
	for i := range x.NumField() {
		if !same(x.Field(i), y.Field(i)) {
			names = append(names, word(x.Type().Field(i)))
		}
	}
	return names
}

// word is what the API calls a field of a spec.
func word(f reflect.StructField) string {
	if w, ok := f.Tag.Lookup("word"); ok {
		return w
	}
	return strings.ToLower(f.Name)
}

// same compares two values of a field; what is empty is the same as what is
// missing, since the store does not tell them apart.
func same(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
