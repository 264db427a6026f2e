package main

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	repository = "ghcr.io/prewarm/prewarm"
	home       = "https://github.com/prewarm/prewarm"
	statePath  = "/var/lib/prewarm"
	configPath = "/etc/prewarm"
)

// annotations are what the OCI has words for. They are labels, too, for docker
// shows no annotations.
func annotations(r release) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":         "prewarm",
		prefix + "description":   "Keeps container images warm on Docker hosts, and runs tasks on warm, digest-pinned images",
		prefix + "version":       r.version,
		prefix + "revision":      r.revision,
		prefix + "created":       r.time.Format(time.RFC3339),
		prefix + "licenses":      "Apache-2.0",
		prefix + "vendor":        "Prewarm",
		prefix + "url":           home,
		prefix + "source":        home,
		prefix + "documentation": home + "/tree/main/docs",
	}
}

// newImage makes the image of a platform. The program has a layer of its own, so
// that an upgrade fetches nothing else.
func newImage(binary string, p v1.Platform, r release) (v1.Image, error) {
	file, err := programEntry(binary)
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for _, part := range []struct {
		made    string
		entries []entry
	}{{"the file system without the program", base()}, {"the program", []entry{file}}} {
		l, err := layer(part.entries, r.time)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{Created: v1.Time{Time: r.time}, CreatedBy: "tools/image: " + part.made}})
		if err != nil {
			return nil, err
		}
	}
	file0, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	settings := file0.DeepCopy()
	settings.OS, settings.Architecture, settings.Created = p.OS, p.Architecture, v1.Time{Time: r.time}
	settings.Config = runSettings(r)
	if image, err = mutate.ConfigFile(image, settings); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, annotations(r)).(v1.Image), nil
}

// runSettings are how the image runs where docker run says nothing else. The
// health check is Docker's: the OCI has no word for it, and engines that know
// none pass over it. The working directory is where the verbs that read a
// configuration look for it.
func runSettings(r release) v1.Config {
	return v1.Config{
		User:         fmt.Sprintf("%d:%d", owner, owner),
		Entrypoint:   []string{"/prewarm"},
		Cmd:          []string{"serve", "--config", configPath + "/prewarm.yaml"},
		WorkingDir:   configPath,
		Env:          []string{"PATH=/"},
		Volumes:      map[string]struct{}{statePath: {}},
		ExposedPorts: map[string]struct{}{"8470/tcp": {}},
		StopSignal:   "SIGTERM",
		Labels:       annotations(r),
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", "/prewarm", "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
		},
	}
}

// newIndex joins the images of all platforms under one digest.
func newIndex(o options, images map[string]v1.Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range o.platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[p.String()], Descriptor: v1.Descriptor{Platform: &p}})
	}
	annotated, ok := mutate.Annotations(index, annotations(o.release)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("annotate the index of %d images", len(images))
	}
	return annotated, nil
}
