package docker

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

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
		Env:        environment(c),
		User:       c.Spec.User,
		WorkingDir: c.Spec.Workdir,
		Hostname:   c.Spec.Hostname,
		Tty:        c.Spec.TTY,
		StopSignal: c.Spec.StopSignal,
		Labels:     labels(instance, c),
	}
}

// environment is the container's, and where its scratch space is unless the
// caller says that elsewhere.
func environment(c runner.Container) []string {
	const temporary = "TMPDIR="
	said := slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, temporary) })
	if c.Spec.Scratch == nil || said {
		return c.Env
	}
	return append(slices.Clip(c.Env), temporary+c.Spec.Scratch.Target)
}

// labels are the caller's, with ours on top: by them we know what is ours.
func labels(instance string, c runner.Container) map[string]string {
	all := map[string]string{}
	maps.Copy(all, c.Spec.Labels)
	maps.Copy(all, map[string]string{
		labelInstance: instance,
		labelRun:      c.Run,
		labelImage:    c.Spec.Image,
		labelDigest:   string(c.Pin.Digest()),
	})
	return all
}

// hostConfig is what a container may use of the host.
func hostConfig(c runner.Container) *container.HostConfig {
	s := c.Spec
	host := &container.HostConfig{
		// The engine must not remove what we have not read: with AutoRemove up
		// to every second short run lost its output or its exit code.
		AutoRemove:     false,
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:      logConfig(),
		NetworkMode:    container.NetworkMode(s.Network),
		IpcMode:        container.IpcMode(s.IPC),
		PidMode:        container.PidMode(s.PID),
		DNS:            s.DNS,
		DNSSearch:      s.DNSSearch,
		DNSOptions:     s.DNSOptions,
		ExtraHosts:     s.ExtraHosts,
		GroupAdd:       s.Groups,
		CapAdd:         s.CapAdd,
		CapDrop:        s.CapDrop,
		SecurityOpt:    s.SecurityOpt,
		Sysctls:        s.Sysctls,
		Privileged:     s.Privileged,
		ReadonlyRootfs: s.ReadOnly,
		ShmSize:        s.ShmSize,
		Mounts:         mounts(c),
		Resources:      resources(s),
	}
	if s.Init {
		host.Init = &s.Init
	}
	return host
}

func resources(s runner.Spec) container.Resources {
	r := container.Resources{
		Memory: s.Memory, MemorySwap: s.MemorySwap, MemoryReservation: s.MemoryReservation,
		NanoCPUs: s.NanoCPUs, CPUShares: s.CPUShares, CpusetCpus: s.CPUSet,
	}
	if s.PidsLimit != 0 {
		r.PidsLimit = &s.PidsLimit
	}
	for _, u := range s.Ulimits {
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range s.Devices {
		r.Devices = append(r.Devices, container.DeviceMapping{
			PathOnHost: d.Host, PathInContainer: cmp.Or(d.Container, d.Host), CgroupPermissions: cmp.Or(d.Permissions, "rwm"),
		})
	}
	for _, d := range s.DeviceRequests {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{
			Driver: d.Driver, Count: d.Count, DeviceIDs: d.IDs, Capabilities: d.Capabilities, Options: d.Options,
		})
	}
	return r
}

// mounts are the file systems that a spec asks for, those of its scratch space
// and of its scope included. A bind's source has to be there: unlike docker run
// -v the engine makes no folder of root's for a path that was misspelt.
func mounts(c runner.Container) []mount.Mount {
	var all []mount.Mount
	for _, m := range c.Spec.Mounts {
		all = append(all, mountOf(m))
	}
	if s := c.Spec.Scratch; s != nil {
		all = append(all, mountOf(runner.Mount{Kind: s.Kind, Target: s.Target, Size: s.Size}))
	}
	if target := c.Spec.ScopeVolume; target != "" {
		all = append(all, mountOf(runner.Mount{Kind: runner.Volume, Source: c.ScopeVolume, Target: target}))
	}
	return all
}

func mountOf(m runner.Mount) mount.Mount {
	made := mount.Mount{Type: mount.Type(m.Kind), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
	if m.Kind == runner.Tmpfs {
		made.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: m.Size, Mode: os.FileMode(m.Mode)}
	}
	return made
}

// networking gives a container its names in the network of a spec; nil where it
// has none.
func networking(s runner.Spec) *network.NetworkingConfig {
	if len(s.Aliases) == 0 {
		return nil
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.Network: {Aliases: s.Aliases}}}
}

// logConfig is ours on every host, whatever its default. Rotation drops what a
// reader has not read yet, and no call tells: with 10 MB files a follower lost
// half of a fast writer's lines. A log is read at a quarter of the speed at which
// it can be written, so all that a firehose prints has to fit: a line of 60 bytes
// takes 131 in the engine's JSON, so the first file has room for 30 million of
// them. The sweep after the exit reads both. The files go with the container. The
// mode is said because the engine adds its own options to ours, and non-blocking
// drops lines.
func logConfig() container.LogConfig {
	return container.LogConfig{
		Type:   "json-file",
		Config: map[string]string{"max-size": "4g", "max-file": "2", "mode": "blocking"},
	}
}
