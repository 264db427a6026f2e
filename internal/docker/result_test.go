package docker

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

// archived answers with an archive of one entry, as an engine does.
func archived(t *testing.T, h tar.Header, content string) http.HandlerFunc {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	return packed(archive.Bytes())
}

func packed(archive []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString([]byte(`{"name":"return.json"}`)))
		_, _ = w.Write(archive)
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	there := inspected(config1, stateExited, ourLabels)
	missing := fault(404, "Could not find the file /out/r.json in container c1")
	for _, c := range []struct {
		name          string
		archive, look http.HandlerFunc
		want          string
		code          problem.Code
	}{
		{"a file", archived(t, tar.Header{Typeflag: tar.TypeReg, Name: "r.json", Size: 5}, "12345"), there, "12345", ""},
		{"an empty file", archived(t, tar.Header{Typeflag: tar.TypeReg, Name: "r.json"}, ""), there, "", ""},
		{"too long", archived(t, tar.Header{Typeflag: tar.TypeReg, Name: "r.json", Size: 6}, "123456"), there, "", problem.ResultTooLarge},
		{"a link", archived(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "r.json", Linkname: "/etc/shadow"}, ""), there, "", problem.ResultMissing},
		{"a folder", archived(t, tar.Header{Typeflag: tar.TypeDir, Name: "r.json/"}, ""), there, "", problem.ResultMissing},
		{"an empty archive", packed(make([]byte, 1024)), there, "", problem.ResultMissing},
		{"a broken archive", packed([]byte("no archive")), there, "", problem.HostUnreachable},
		{"a torn file", archived(t, tar.Header{Typeflag: tar.TypeReg, Name: "r.json", Size: 5}, "123"), there, "", problem.HostUnreachable},
		{"no such file", missing, there, "", problem.ResultMissing},
		{"no such container", missing, fault(404, "no such container"), "", problem.ContainerLost},
		{"no answer", hangUp, there, "", problem.HostUnreachable},
		{"no answer about the container", missing, hangUp, "", problem.HostUnreachable},
	} {
		e := newEngine(t)
		e.on("GET /containers/c1/archive", c.archive)
		e.on("GET /containers/c1/json", c.look)
		got, err := e.host().Result(t.Context(), "c1", "/out/r.json", 5)
		wantCode(t, c.name, err, c.code)
		if string(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
