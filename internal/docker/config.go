package docker

import (
	"github.com/docker/docker/api/types/container"

	"github.com/prewarm/prewarm/runner"
)

// config is what runs in a container. A nil command or entrypoint is the
// image's own; with an entrypoint given the engine drops the image's command,
// as docker run does.
func config(instance string, c runner.Container) *container.Config {
	return &container.Config{
		Image:      c.Pin.String(),
		Cmd:        c.Spec.Command,
		Entrypoint: c.Spec.Entrypoint,
		Env:        c.Spec.Env,
		User:       c.Spec.User,
		WorkingDir: c.Spec.Workdir,
		Tty:        false, // a terminal merges the streams and loses their frames
		Labels: map[string]string{
			labelInstance: instance,
			labelRun:      c.Run,
			labelImage:    c.Spec.Image,
			labelDigest:   string(c.Pin.Digest()),
		},
	}
}

// hostConfig is what a container may use of the host.
func hostConfig(s runner.Spec) *container.HostConfig {
	return &container.HostConfig{
		// The engine must not remove what we have not read: with AutoRemove up
		// to every second short run lost its output or its exit code.
		AutoRemove:    false,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:     logConfig(),
		NetworkMode:   container.NetworkMode(s.Network),
		Resources:     container.Resources{Memory: s.Memory, NanoCPUs: s.NanoCPUs},
	}
}

// logConfig is ours on every host, whatever its default. Rotation drops what a
// reader has not read yet, and no call tells: with 10 MB files a follower lost
// half of a fast writer's lines. A gigabyte is more than any reader lags; the
// file goes with the container. The mode is said because the engine adds its
// own options to ours, and non-blocking drops lines.
func logConfig() container.LogConfig {
	return container.LogConfig{
		Type:   "json-file",
		Config: map[string]string{"max-size": "1g", "max-file": "2", "mode": "blocking"},
	}
}
