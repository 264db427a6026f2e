package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var some = release{version: "1.2.3", revision: "c0ffee", time: time.Unix(1767225600, 0).UTC()}

// images are those of both platforms, with a text for a program.
func images(t *testing.T) (options, map[string]v1.Image) {
	t.Helper()
	o := options{dir: t.TempDir(), tag: "ghcr.io/prewarm/prewarm:1.2.3", release: some}
	all := make(map[string]v1.Image)
	for _, architecture := range []string{"amd64", "arm64"} {
		p := v1.Platform{OS: "linux", Architecture: architecture}
		binary := filepath.Join(t.TempDir(), "prewarm")
		if err := os.WriteFile(binary, []byte("a program for "+architecture), 0o600); err != nil {
			t.Fatal(err)
		}
		image, err := newImage(binary, p, some)
		if err != nil {
			t.Fatal(err)
		}
		o.platforms, all[p.String()] = append(o.platforms, p), image
	}
	return o, all
}

func TestTheAuthoritiesAreCertificates(t *testing.T) {
	t.Parallel()
	n := 0
	for block, rest := pem.Decode(authorities()); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !certificate.IsCA {
			t.Errorf("certificate %d: %v", n, err)
		}
		n++
	}
	if n < 100 {
		t.Errorf("there are %d", n)
	}
}

func TestWriteTwice(t *testing.T) {
	t.Parallel()
	o, all := images(t)
	first, err := write(t.Context(), o, all)
	if err != nil {
		t.Fatal(err)
	}
	second, err := write(t.Context(), o, all) // into the same folder
	if err != nil || first != second {
		t.Errorf("%s, then %s (%v)", first, second, err)
	}
	path, err := layout.FromPath(filepath.Join(o.dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := index.IndexManifest(); err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest != first {
		t.Errorf("the layout holds %+v (%v)", m, err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := tarball.ImageFromPath(archive(o.dir, "linux", architecture), nil)
		if err != nil {
			t.Fatal(err)
		}
		if settings, err := image.ConfigFile(); err != nil || settings.Architecture != architecture || settings.Config.Labels["org.opencontainers.image.revision"] != "c0ffee" {
			t.Errorf("the archive for %s: %+v (%v)", architecture, settings, err)
		}
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	o, all := images(t)
	o.push, o.tag = true, strings.TrimPrefix(s.URL, "http://")+"/prewarm:1.2.3"
	digest, err := write(t.Context(), o, all)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(o.tag)
	if err != nil {
		t.Fatal(err)
	}
	if index, err := remote.Index(tag); err != nil {
		t.Error(err)
	} else if got, err := index.Digest(); err != nil || got != digest {
		t.Errorf("the registry has %s (%v), not %s", got, err, digest)
	}
}

func TestParse(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	good := []string{"-version", "v1.2.3", "-revision", "c0ffee"}
	o, err := parse(t.Context(), good, io.Discard)
	if err != nil || o.release != some || o.tag != "ghcr.io/prewarm/prewarm:1.2.3" || len(o.platforms) != 2 {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, wrong := range [][]string{
		{"-platforms", "linux/riscv64"}, {"-platforms", "linux/arm64/v8"}, {"-platforms", ""}, {"-load", "perhaps"}, {"more"}, {"-nothing"},
	} {
		if _, err := parse(t.Context(), append(good, wrong...), io.Discard); err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := parse(t.Context(), good, io.Discard); err == nil || !strings.Contains(err.Error(), "seconds since 1970") {
		t.Errorf("got %v", err)
	}
}

// The times of a clone are those of its commit.
func TestCompleteAsksGit(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := (&release{version: "1"}).complete(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "name the commit with -revision") {
		t.Errorf("without git: %v", err)
	}
	t.Setenv("GIT_COMMITTER_DATE", "1767225600 +0000")
	for _, args := range [][]string{{"init", "-q"}, {"-c", "user.name=a", "-c", "user.email=a@b.test", "commit", "-q", "--allow-empty", "-m", "x"}, {"tag", "v1.2.3"}} {
		if _, err := git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	var r release
	if err := r.complete(t.Context(), ""); err != nil || r.version != "1.2.3" || len(r.revision) != 40 || !r.time.Equal(some.time) {
		t.Errorf("got %+v, %v", r, err)
	}
}

// A docker command that says what an engine would.
func fakeDocker(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestLoad(t *testing.T) {
	o, all := images(t)
	if _, err := write(t.Context(), o, all); err != nil {
		t.Fatal(err)
	}
	try := func(when string) (string, error) {
		var said bytes.Buffer
		o.load = when
		err := load(context.Background(), o, &said)
		return said.String(), err
	}
	fakeDocker(t, `[ "$1" = version ] && echo linux arm64 || echo loaded "$@"`)
	if said, err := try(loadAuto); err != nil || !strings.Contains(said, "loaded load -i "+archive(o.dir, "linux", "arm64")) {
		t.Errorf("said %q, %v", said, err)
	}
	fakeDocker(t, `[ "$1" = version ] && echo linux riscv64`)
	if _, err := try(loadAuto); err == nil || !strings.Contains(err.Error(), "none was built for it") {
		t.Errorf("an engine of another kind: %v", err)
	}
	fakeDocker(t, `[ "$1" = version ] && echo linux amd64 && exit; echo no space left >&2; exit 1`)
	if _, err := try(loadAuto); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("an engine that takes nothing: %v", err)
	}
	fakeDocker(t, `echo no engine >&2; exit 1`)
	if said, err := try(loadAuto); err != nil || !strings.Contains(said, "not loaded") || !strings.Contains(said, "no engine") {
		t.Errorf("no engine: said %q, %v", said, err)
	}
	if _, err := try(loadAlways); err == nil || !strings.Contains(err.Error(), "no engine") {
		t.Errorf("no engine, and one wanted: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if said, err := try(loadAuto); err != nil || !strings.Contains(said, "not loaded") {
		t.Errorf("no docker: said %q, %v", said, err)
	}
}
