package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	v := Verify{Command: []string{"cosign", "", "--key={{.Image}}.pub", "{{.Repository}}:{{ .Tag }}", "{{.Digest}}", "{{.Pin}}"}}
	got, err := v.Expand(Subject{Pin: "a/b@sha256:1", Repository: "a/b", Digest: "sha256:1", Tag: "{{.Pin}}", Image: "jobs"})
	want := []string{"cosign", "", "--key=jobs.pub", "a/b:{{.Pin}}", "sha256:1", "a/b@sha256:1"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("err %v, arguments (-want +got):\n%s", err, diff)
	}
	if got, err := (Verify{Command: []string{"{{.Version}}"}}).Expand(Subject{}); err == nil {
		t.Errorf("an unknown name gives %q", got)
	}
}

func TestTemplatesTaken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, "plain": true, "{{.Pin}}": true, "a{{ .Tag }}b{{.Image}}": true, "{{/* a comment */}}": true, "{{- .Pin -}}": true,
		"{{.}}": false, "{{.Pin.Host}}": false, "{{.pin}}": false, "{{printf `%s` .Pin}}": false, "{{.Pin | html}}": false, "{{$x := .Pin}}": false,
		"{{if .Tag}}a{{end}}": false, "{{range .Tag}}{{end}}": false, `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: false,
		"{{": false, "}}": true, "a\x00": false, "{{1}}": false, "{{true}}": false,
	} {
		r := newReader("", "")
		r.checkTemplate("command[1]", text)
		if got := len(r.found) == 0; got != want {
			t.Errorf("template %q is taken: %v, want %v (%v)", text, got, want, r.found)
		}
	}
}
