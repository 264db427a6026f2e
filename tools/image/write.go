package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// write puts the images where they can be taken from, and gives the digest of
// all of them.
func write(ctx context.Context, o options, images map[string]v1.Image) (v1.Hash, error) {
	tag, err := name.NewTag(o.tag)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("-tag %q: %w", o.tag, err)
	}
	index, err := newIndex(o, images)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := writeLayout(filepath.Join(o.dir, "oci"), index, tag); err != nil {
		return v1.Hash{}, fmt.Errorf("write the OCI layout: %w", err)
	}
	for _, p := range o.platforms {
		if err := tarball.WriteToFile(archive(o.dir, p.OS, p.Architecture), tag, images[p.String()]); err != nil {
			return v1.Hash{}, fmt.Errorf("write the archive for %s: %w", p, err)
		}
	}
	if o.push {
		if err := remote.WriteIndex(tag, index, remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithContext(ctx)); err != nil {
			return v1.Hash{}, fmt.Errorf("push %s: %w", tag, err)
		}
	}
	return index.Digest()
}

// writeLayout begins anew: a layout keeps what it had.
func writeLayout(dir string, index v1.ImageIndex, tag name.Tag) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag.TagStr(), "io.containerd.image.name": tag.Name(),
	}))
}

func archive(dir, system, architecture string) string {
	return filepath.Join(dir, "prewarm-"+system+"-"+architecture+".tar")
}

// load gives the engine that docker speaks to the image for its platform.
func load(ctx context.Context, o options, log io.Writer) error {
	platform, err := docker(ctx, "version", "--format", "{{.Server.Os}} {{.Server.Arch}}")
	if err != nil {
		if o.load == loadAuto {
			fmt.Fprintf(log, "not loaded into an engine, for none answers (%v); docker load -i %s does it\n", err, archive(o.dir, "OS", "ARCH"))
			return nil
		}
		return err
	}
	system, architecture, _ := strings.Cut(platform, " ")
	file := archive(o.dir, system, architecture)
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("load the image into an engine of %s/%s: none was built for it; name it with -platforms", system, architecture)
	}
	said, err := docker(ctx, "load", "-i", file)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, said)
	return nil
}

func docker(ctx context.Context, args ...string) (string, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return "", fmt.Errorf("docker %s: %s", args[0], strings.TrimSpace(said.String()))
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
