package runner

import (
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	open := Policy{
		Privileged: true, HostNamespaces: true, BindMounts: []string{"/srv/data/**", "/srv/one"}, CapAdd: []string{"SYS_PTRACE"}, Devices: []string{"/dev/dri", "intel.com/gpu=0"},
		SecurityOpt: []string{"seccomp=unconfined"}, Sysctls: []string{"net.core.somaxconn"}, SecretFiles: []string{"/run/secrets"},
	}
	bind := func(source string) Spec {
		return Spec{Mounts: []Mount{{Kind: Bind, Source: source, Target: "/data"}}}
	}
	tests := map[string]struct {
		spec         Spec
		zero, opened bool // allowed by the zero policy, by the open one
	}{
		"nothing":                 {Spec{}, true, true},
		"limits":                  {Spec{Memory: 1, CapDrop: []string{"ALL"}, ReadOnly: true}, true, true},
		"privileged":              {Spec{Privileged: true}, false, true},
		"host network":            {Spec{Network: "host"}, false, true},
		"another's network":       {Spec{Network: "container:x"}, false, true},
		"a network":               {Spec{Network: "etl"}, true, true},
		"host pid":                {Spec{PID: "host"}, false, true},
		"host ipc":                {Spec{IPC: "host"}, false, true},
		"private ipc":             {Spec{IPC: "private"}, true, true},
		"a bind":                  {bind("/srv/data/in"), false, true},
		"the root itself":         {bind("/srv/data"), false, true},
		"a bind with dots":        {bind("/srv/data/../../etc"), false, false},
		"a neighbour":             {bind("/srv/data2"), false, false},
		"one folder":              {bind("/srv/one"), false, true},
		"one folder and a slash":  {bind("/srv/one/"), false, true},
		"below the one folder":    {bind("/srv/one/link"), false, false},
		"above the one folder":    {bind("/srv"), false, false},
		"a relative path":         {bind("srv/data"), false, false},
		"the engine's socket":     {bind("/var/run/docker.sock"), false, false},
		"a volume":                {Spec{Mounts: []Mount{{Kind: Volume, Source: "cache", Target: "/c"}}}, true, true},
		"one of ours":             {Spec{Mounts: []Mount{{Kind: Volume, Source: "prewarm-x", Target: "/c"}}}, false, false},
		"a capability":            {Spec{CapAdd: []string{"cap_sys_ptrace"}}, false, true},
		"all capabilities":        {Spec{CapAdd: []string{"ALL"}}, false, false},
		"no new privileges":       {Spec{SecurityOpt: []string{"no-new-privileges"}}, true, true},
		"no seccomp":              {Spec{SecurityOpt: []string{"seccomp=unconfined"}}, false, true},
		"a device":                {Spec{Devices: []Device{{Host: "/dev/dri/card0"}}}, false, true},
		"a disk":                  {Spec{Devices: []Device{{Host: "/dev/sda"}}}, false, false},
		"a GPU by request":        {Spec{DeviceRequests: []DeviceRequest{{Count: -1}}}, true, true},
		"a GPU by its id":         {Spec{DeviceRequests: []DeviceRequest{{Driver: "nvidia", IDs: []string{"GPU-1"}}}}, true, true},
		"a device of CDI":         {Spec{DeviceRequests: []DeviceRequest{{Driver: "cdi", IDs: []string{"intel.com/gpu=0"}}}}, false, true},
		"another of CDI":          {Spec{DeviceRequests: []DeviceRequest{{Driver: "cdi", IDs: []string{"intel.com/gpu=0", "intel.com/gpu=all"}}}}, false, false},
		"one without its driver":  {Spec{DeviceRequests: []DeviceRequest{{IDs: []string{"example.com/d=all"}}}}, false, false},
		"a sysctl":                {Spec{Sysctls: map[string]string{"net.core.somaxconn": "1"}}, false, true},
		"another sysctl":          {Spec{Sysctls: map[string]string{"kernel.shmmax": "1"}}, false, false},
		"a secret file":           {Spec{SecretEnv: []SecretEnv{{Name: "T", File: "/run/secrets/t"}}}, false, true},
		"another file":            {Spec{SecretEnv: []SecretEnv{{Name: "T", File: "/etc/shadow"}}}, false, false},
		"a secret by its value":   {Spec{SecretEnv: []SecretEnv{{Name: "T"}}}, true, true},
		"a tmpfs where one likes": {Spec{Mounts: []Mount{{Kind: Tmpfs, Target: "/etc"}}}, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for policy, allowed := range map[*Policy]bool{{}: test.zero, &open: test.opened} {
				err := policy.check(test.spec)
				if (err == nil) != allowed {
					t.Errorf("policy %+v: %v", *policy, err)
				}
				if err != nil && problem.CodeOf(err) != problem.NotAllowed {
					t.Errorf("code %s", problem.CodeOf(err))
				}
			}
		})
	}
	if err := (Policy{BindMounts: []string{"/**"}}).check(bind("/etc/x")); err != nil {
		t.Error("/** does not allow all:", err)
	}
	if err := (Policy{Networks: []string{"none"}}).check(Spec{Network: "bridge"}); err == nil {
		t.Error("a network that is not in the list was allowed")
	}
	if err := (Policy{Networks: []string{"none"}}).check(Spec{}); err == nil {
		t.Error("the engine's default network was allowed, and is not in the list")
	}
	if err := (Policy{CapAdd: []string{"ALL"}}).check(Spec{CapAdd: []string{"NET_ADMIN"}}); err != nil {
		t.Error("ALL does not allow one:", err)
	}
}

func TestPolicyOfVolumes(t *testing.T) {
	t.Parallel()
	p := Policy{Volumes: []string{"cache", "etl_*", "prewarm*"}}
	for name, allowed := range map[string]bool{
		"": true, "cache": true, "cache2": false, "etl_in": true, "etl_": true, "etl": false, "prewarm_state": true, "prewarm-scope": false, "*": false,
	} {
		err := p.check(Spec{Mounts: []Mount{{Kind: Volume, Source: name, Target: "/c"}}})
		if (err == nil) != allowed || err != nil && problem.CodeOf(err) != problem.NotAllowed {
			t.Errorf("volume %q: %v", name, err)
		}
	}
}
