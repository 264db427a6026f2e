package server

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/registry"
)

// diffOf compares two images.
func diffOf(name string, a, b registry.Image) api.Diff {
	d := api.Diff{
		Image: name, Platform: b.Platform.String(), A: sideOf(a), B: sideOf(b),
		Layers: []api.DiffLayer{}, Changes: []api.DiffChange{},
	}
	for _, l := range distinct(b.Layers) {
		in := "b"
		if hasLayer(a, l.Digest) {
			in = "both"
		} else {
			d.TransferBytes += l.Bytes
		}
		d.Layers = append(d.Layers, layerOf(l, in))
	}
	for _, l := range distinct(a.Layers) {
		if !hasLayer(b, l.Digest) {
			d.Layers = append(d.Layers, layerOf(l, "a"))
		}
	}
	for _, f := range []struct {
		field string
		a, b  map[string]string
	}{
		{"env", variables(a.Env), variables(b.Env)},
		{"entrypoint", whole(words(a.Entrypoint)), whole(words(b.Entrypoint))},
		{"command", whole(words(a.Command)), whole(words(b.Command))},
		{"user", whole(a.User), whole(b.User)},
		{"workdir", whole(a.WorkDir), whole(b.WorkDir)},
		{"labels", a.Labels, b.Labels},
		{"ports", ports(a.Ports), ports(b.Ports)},
	} {
		d.Changes = append(d.Changes, changes(f.field, f.a, f.b)...)
	}
	return d
}

func sideOf(i registry.Image) api.Side {
	side := api.Side{Digest: string(i.Pin.Digest()), PlatformDigest: string(i.Digest), CreatedAt: when(i.Created)}
	for _, l := range distinct(i.Layers) {
		side.Bytes += l.Bytes
	}
	return side
}

// distinct leaves each layer once, as a host downloads it: images repeat some.
func distinct(layers []registry.ImageLayer) []registry.ImageLayer {
	var once []registry.ImageLayer
	seen := make(map[registry.Digest]bool)
	for _, l := range layers {
		if !seen[l.Digest] {
			once = append(once, l)
		}
		seen[l.Digest] = true
	}
	return once
}

func hasLayer(i registry.Image, digest registry.Digest) bool {
	return slices.ContainsFunc(i.Layers, func(l registry.ImageLayer) bool { return l.Digest == digest })
}

func layerOf(l registry.ImageLayer, in string) api.DiffLayer {
	return api.DiffLayer{Digest: string(l.Digest), Bytes: l.Bytes, In: in, CreatedBy: l.CreatedBy}
}

// changes lists the names whose values differ, in their order.
func changes(field string, a, b map[string]string) []api.DiffChange {
	var all []api.DiffChange
	for name, value := range a {
		if other, ok := b[name]; !ok || other != value {
			all = append(all, api.DiffChange{Field: field, Name: name, A: in(a, name), B: in(b, name)})
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			all = append(all, api.DiffChange{Field: field, Name: name, B: in(b, name)})
		}
	}
	slices.SortFunc(all, func(x, y api.DiffChange) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

func in(m map[string]string, name string) *string {
	if value, ok := m[name]; ok {
		return &value
	}
	return nil
}

func variables(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		m[name] = value
	}
	return m
}

// whole is a field that has one value, or none.
func whole(value string) map[string]string {
	if value == "" {
		return nil
	}
	return map[string]string{"": value}
}

// words writes a command so that it can be told from others: ["a b"] is not
// ["a", "b"].
func words(command []string) string {
	if len(command) == 0 {
		return ""
	}
	quoted := make([]string, len(command))
	for i, w := range command {
		quoted[i] = strconv.Quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func ports(all []string) map[string]string {
	m := make(map[string]string, len(all))
	for _, p := range all {
		m[p] = "exposed"
	}
	return m
}
