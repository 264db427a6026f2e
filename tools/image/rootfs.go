package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// owner is the user and the group that the program runs as.
const owner = 65532

// entry is a file, or a folder where it has no content.
type entry struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

// base is the file system without the program. Time zones are in the program, and
// so is ssh. /tmp is what a run's files pass through nowhere, but SQLite sorts
// what is large there.
func base() []entry {
	passwd := fmt.Sprintf("root:x:0:0:root:/:/nologin\nprewarm:x:%d:%d:Prewarm:%s:/nologin\n", owner, owner, statePath)
	group := fmt.Sprintf("root:x:0:\nprewarm:x:%d:\n", owner)
	return []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: []byte(group)},
		{name: "etc/passwd", mode: 0o644, content: []byte(passwd)},
		{name: "etc/prewarm/", mode: 0o755},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: authorities()},
		{name: "tmp/", mode: 0o1777},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: "var/lib/prewarm/", mode: 0o700, owner: owner},
	}
}

// programEntry is the program as a file of the image.
func programEntry(binary string) (entry, error) {
	content, err := os.ReadFile(binary)
	return entry{name: "prewarm", mode: 0o755, content: content}, err
}

// layer packs entries, all of one time.
func layer(entries []entry, at time.Time) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.content)), ModTime: at, Format: tar.FormatUSTAR,
		}
		if e.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
