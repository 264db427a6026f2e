package server

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/runner"
)

// askOf reads a submit. It refuses what has no meaning; what is allowed, and
// what an image or a host says to it, is the runner's business.
func askOf(r api.SubmitRun, idempotency string) (runner.Ask, error) {
	f := &form{targets: make(map[string]string)}
	f.clean("idempotency-key", idempotency)
	ask := runner.Ask{
		Spec: f.spec(r), Terms: f.terms(r), Secrets: f.secrets(r),
		Idempotency: idempotency, OnConflict: runner.OnConflict(cmp.Or(r.OnConflict, string(runner.ConflictRefuse))),
	}
	if f.err != nil {
		return runner.Ask{}, f.err
	}
	return ask, nil
}

func (f *form) spec(r api.SubmitRun) runner.Spec {
	f.container(r)
	f.network(r)
	f.resources(r)
	f.privileges(r)
	spec := runner.Spec{
		Image: r.Image, Command: r.Command, Entrypoint: r.Entrypoint, Env: r.Env, SecretEnv: secretEnvOf(r.SecretEnv),
		User: r.User, Groups: r.Groups, Workdir: f.optionalPath("workdir", r.Workdir), Hostname: r.Hostname, TTY: r.TTY, Init: r.Init,
		Network: r.Network, Aliases: r.Aliases, DNS: r.DNS, DNSSearch: r.DNSSearch, DNSOptions: r.DNSOptions, ExtraHosts: r.ExtraHosts,
		Ports: f.ports(r.Ports), IPC: r.IPC, PID: r.PID,
		Mounts: f.mounts(r.Mounts), Scratch: f.scratch(r.Scratch),
		ScopeVolume: f.target("scope_volume", r.ScopeVolume, true), Result: f.optionalPath("result", r.Result),
		Memory: r.Memory, MemorySwap: r.MemorySwap, MemoryReservation: r.MemoryReservation,
		NanoCPUs: int64(math.Round(r.CPUs * 1e9)), CPUShares: r.CPUShares, CPUSet: r.CPUSet,
		PidsLimit: r.PidsLimit, ShmSize: r.ShmSize,
		Ulimits: f.ulimits(r.Ulimits), Devices: f.devices(r.Devices), DeviceRequests: f.deviceRequests(r.DeviceRequests),
		CapAdd: r.CapAdd, CapDrop: r.CapDrop, SecurityOpt: r.SecurityOpt, Sysctls: r.Sysctls, Privileged: r.Privileged, ReadOnly: r.ReadOnly,
		Labels: r.Labels, StopSignal: r.StopSignal, StopGrace: time.Duration(r.StopGrace), Platform: r.Platform, LogCap: r.LogCap,
	}
	f.want(!strings.HasSuffix(r.Result, "/"), "result", r.Result, "it is a folder", "name the file")
	return spec
}

func (f *form) terms(r api.SubmitRun) runner.Terms {
	f.clean("key", r.Key)
	f.clean("pin_scope", r.PinScope)
	f.want(r.PinScope != "/", "pin_scope", r.PinScope, "no path of the API can name it", "call it otherwise")
	f.clean("concurrency_group", r.ConcurrencyGroup)
	f.words("hosts", r.Hosts)
	f.names("host_labels", r.HostLabels)
	f.meta(r.Meta)
	f.tries(r)
	f.together(r)
	limit := r.ConcurrencyLimit
	if r.ConcurrencyGroup != "" {
		limit = cmp.Or(limit, 1)
	}
	return runner.Terms{
		Key: r.Key, Epoch: r.Epoch, Join: runner.Join(cmp.Or(r.Join, string(runner.JoinActive))),
		Scope: r.PinScope, Fresh: r.Fresh, WaitWarm: time.Duration(r.WaitWarm), Limit: time.Duration(r.Deadline),
		Keepalive: time.Duration(r.Keepalive), KeepaliveAction: runner.KeepaliveAction(cmp.Or(r.KeepaliveAction, string(runner.KeepaliveReport))),
		Priority: r.Priority, Hosts: r.Hosts, HostLabels: r.HostLabels, Group: r.ConcurrencyGroup, GroupLimit: limit,
		Meta: r.Meta, Try: r.Try, Tries: r.Tries, SkipExitCodes: r.SkipExitCodes, Unmasked: r.Unmasked, KeepVolume: r.KeepVolume,
	}
}

// together refuses fields that mean nothing without another one: whoever forgot
// the key, say, would get a second container.
func (f *form) together(r api.SubmitRun) {
	for _, c := range []struct {
		set, has     bool
		field, needs string
	}{
		{r.Epoch != 0, r.Key != "", "epoch", "key"},
		{r.Join == string(runner.JoinSuccess), r.Key != "", "join", "key"},
		{r.OnConflict != "" && r.OnConflict != string(runner.ConflictRefuse), r.Key != "", "on_conflict", "key"},
		{r.KeepaliveAction == string(runner.KeepaliveStop), r.Keepalive != 0, "keepalive_action", "keepalive"},
		{r.ConcurrencyLimit != 0, r.ConcurrencyGroup != "", "concurrency_limit", "concurrency_group"},
		{r.ScopeVolume != "", r.PinScope != "", "scope_volume", "pin_scope"},
		{r.Tries != 0, r.Try != 0, "tries", "try"},
		{r.KeepVolume, r.ScopeVolume != "", "keep_volume_on_failure", "scope_volume"},
		{r.Unmasked, len(r.SecretEnv) > 0, "unmasked", "secret_env"},
	} {
		f.want(!c.set || c.has, c.field, "", "it means nothing without "+c.needs, "name the "+c.needs+", or leave it out")
	}
}

// The bounds of meta: it is shown in lists and forwarded with each line.
const (
	maxMeta      = 64
	maxMetaName  = 64   // bytes
	maxMetaValue = 1024 // bytes
)

func (f *form) meta(meta map[string]string) {
	f.want(len(meta) <= maxMeta, "meta", "", fmt.Sprintf("it has %d entries, %d is the most", len(meta), maxMeta), "leave some out")
	f.names("meta", meta)
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		value := meta[name]
		f.want(len(name) <= maxMetaName, "meta", name, fmt.Sprintf("a name has %d bytes, %d is the most", len(name), maxMetaName), "shorten it")
		f.want(len(value) <= maxMetaValue, "meta", name, fmt.Sprintf("a value has %d bytes, %d is the most", len(value), maxMetaValue), "shorten it, or link to it")
	}
}

// tries looks at what the submit says of its caller's task.
func (f *form) tries(r api.SubmitRun) {
	f.want(r.Tries == 0 || r.Try <= r.Tries, "try", fmt.Sprint(r.Try), fmt.Sprintf("the task has %d tries", r.Tries), "count tries from 1, and give the number of all as tries")
	for i, code := range r.SkipExitCodes {
		f.want(code >= 1 && code <= 255, fmt.Sprintf("skip_exit_codes[%d]", i), fmt.Sprint(code), "it is no exit code of a program that did nothing", "write a number from 1 to 255")
	}
}

// secrets are the values that the submit brings.
func (f *form) secrets(r api.SubmitRun) map[string]string {
	taken := make(map[string]bool)
	for _, e := range r.Env {
		name, _, _ := strings.Cut(e, "=")
		taken[name] = true
	}
	var values map[string]string
	for i, s := range r.SecretEnv {
		field := fmt.Sprintf("secret_env[%d]", i)
		// A wrong name is not repeated: it may be the secret.
		f.want(s.Name != "" && !strings.ContainsAny(s.Name, "=\x00"), field+".name", "", "it is no name of a variable", "write the name alone; the value has a field of its own")
		f.want(!taken[s.Name], field+".name", "", "the variable is set twice", "leave it out of env, and name it once")
		f.want((s.Value == "") != (s.File == ""), field, "", "it needs exactly one of value and file", "set one of them; a variable that is to be empty goes into env")
		f.want(!strings.Contains(s.Value, "\x00"), field+".value", "", "it has a zero byte, which no variable can hold", "encode it")
		f.want(s.File == "" || path.IsAbs(s.File) && isClean(s.File), field+".file", "", "it is no absolute path", "begin it with /")
		taken[s.Name] = true
		if s.Value != "" {
			if values == nil {
				values = make(map[string]string)
			}
			values[s.Name] = s.Value
		}
	}
	return values
}

func secretEnvOf(all []api.SecretEnv) []runner.SecretEnv {
	var secrets []runner.SecretEnv
	for _, s := range all {
		file := s.File
		if file != "" {
			file = path.Clean(file)
		}
		secrets = append(secrets, runner.SecretEnv{Name: s.Name, File: file})
	}
	return secrets
}

func (f *form) mounts(all []api.Mount) []runner.Mount {
	var mounts []runner.Mount
	for i, m := range all {
		field := fmt.Sprintf("mounts[%d]", i)
		mount := runner.Mount{Kind: runner.Kind(m.Type), Source: m.Source, Target: f.target(field+".target", m.Target, false), ReadOnly: m.ReadOnly, Size: m.Size, Mode: m.Mode}
		switch mount.Kind {
		case runner.Bind:
			mount.Source = f.path(field+".source", m.Source)
		case runner.Volume:
			f.want(m.Source == "" || volumeName.MatchString(m.Source), field+".source", m.Source, "it is no name of a volume",
				"write letters, digits, _ . and -, or mount a path of the host with type bind")
		case runner.Tmpfs:
			f.want(m.Source == "", field+".source", m.Source, "a tmpfs has no source", "leave it out")
		}
		f.want(mount.Kind == runner.Tmpfs || m.Size == 0 && m.Mode == 0, field, "", "size and mode are those of a tmpfs", "leave them out, or mount a tmpfs")
		f.want(m.Mode <= 0o7777, field+".mode", fmt.Sprint(m.Mode), "it is no mode of a file", "write the permission bits as a number: 1023 is 01777")
		mounts = append(mounts, mount)
	}
	return mounts
}

// defaultScratch is where scratch space is mounted when nothing is said.
const defaultScratch = "/scratch"

func (f *form) scratch(s *api.Scratch) *runner.Scratch {
	if s == nil {
		return nil
	}
	kind := runner.Kind(s.Type)
	f.want(kind == runner.Tmpfs || s.Size == 0, "scratch.size", fmt.Sprint(s.Size), "a volume has no size", "leave it out, or ask for a tmpfs")
	return &runner.Scratch{Kind: kind, Target: f.target("scratch.target", cmp.Or(s.Target, defaultScratch), false), Size: s.Size}
}

func (f *form) ports(all []api.Port) []runner.Port {
	var ports []runner.Port
	for i, p := range all {
		if p.HostIP != "" {
			_, err := netip.ParseAddr(p.HostIP)
			f.want(err == nil, fmt.Sprintf("ports[%d].host_ip", i), p.HostIP, "it is no IP address", "write it as 127.0.0.1, or leave it out for all of the host's")
		}
		ports = append(ports, runner.Port{Container: p.Container, Protocol: cmp.Or(p.Protocol, "tcp"), HostIP: p.HostIP, Host: p.Host})
	}
	return ports
}

func (f *form) ulimits(all []api.Ulimit) []runner.Ulimit {
	var limits []runner.Ulimit
	for i, u := range all {
		field := fmt.Sprintf("ulimits[%d]", i)
		f.want(ulimitName.MatchString(u.Name), field+".name", u.Name, "it is no limit", "name it as ulimit does: nofile, nproc, core")
		f.want(u.Soft >= -1 && u.Hard >= -1, field, "", "a limit is below -1", "-1 is no limit")
		f.want(u.Hard == -1 || u.Soft != -1 && u.Soft <= u.Hard, field, "", fmt.Sprintf("the soft limit %d is above the hard one, %d", u.Soft, u.Hard),
			"raise the hard limit, or lower the soft one")
		limits = append(limits, runner.Ulimit(u))
	}
	return limits
}

func (f *form) devices(all []api.Device) []runner.Device {
	var devices []runner.Device
	for i, d := range all {
		field := fmt.Sprintf("devices[%d]", i)
		host := f.path(field+".host", d.Host)
		permissions := cmp.Or(d.Permissions, "rwm")
		f.want(devicePermissions.MatchString(permissions), field+".permissions", permissions, "it is made of r, w and m", "write rwm for all")
		devices = append(devices, runner.Device{Host: host, Container: cmp.Or(f.optionalPath(field+".container", d.Container), host), Permissions: permissions})
	}
	return devices
}

func (f *form) deviceRequests(all []api.DeviceRequest) []runner.DeviceRequest {
	var requests []runner.DeviceRequest
	for i, d := range all {
		field := fmt.Sprintf("device_requests[%d]", i)
		f.want((d.Count == 0) != (len(d.IDs) == 0), field, "", "it needs exactly one of count and device_ids", "set one of them; a count of -1 asks for all")
		f.want(d.Driver != "" || len(d.Capabilities) > 0, field, "", "it names neither a driver nor capabilities", `ask for [["gpu"]], or name a driver`)
		requests = append(requests, runner.DeviceRequest(d))
	}
	return requests
}
