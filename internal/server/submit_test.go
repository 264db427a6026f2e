package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// everything is a submit in which no field is left out.
var everything = api.SubmitRun{
	Image: "jobs", Command: []string{"a b", "", "<&>\n\"é\""}, Entrypoint: []string{"/bin/sh", "-c"}, Env: []string{"A=", "B=c=d"},
	SecretEnv: []api.SecretEnv{{Name: "TOKEN", Value: "hunter2"}, {Name: "KEY", File: "/run/secrets/x/../key"}}, Unmasked: true,
	User: "1:2", Groups: []string{"video", "44"}, Workdir: "/w/./x/", Hostname: "job-1", TTY: true, Init: true, Labels: map[string]string{"team": "etl"},
	StopSignal: "SIGINT", StopGrace: api.Duration(time.Minute), Platform: "linux/arm64/v8",
	Network: "etl", Aliases: []string{"job"}, DNS: []string{"10.0.0.53"}, DNSSearch: []string{"example.com"}, DNSOptions: []string{"ndots:2"},
	ExtraHosts: []string{"db:10.0.0.5", "six:::1", "me:host-gateway"}, Ports: []api.Port{{Container: 80}, {Container: 53, Protocol: "udp", HostIP: "127.0.0.1", Host: 5353}},
	IPC: "container:other", PID: "host",
	Mounts: []api.Mount{
		{Type: "bind", Source: "/srv/data/", Target: "/data", ReadOnly: true},
		{Type: "volume", Source: "cache", Target: "/cache"},
		{Type: "volume", Target: "/anonymous"},
		{Type: "tmpfs", Target: "/tmp/", Size: 1 << 20, Mode: 0o1777},
	},
	Scratch: &api.Scratch{Type: "tmpfs", Size: 1 << 30}, ScopeVolume: "/shared", KeepVolume: true, ReadOnly: true, Result: "/airflow/xcom/return.json",
	Memory: 1 << 30, MemorySwap: -1, MemoryReservation: 1 << 29, CPUs: 0.3, CPUShares: 512, CPUSet: "0-3,7", PidsLimit: 100, ShmSize: 1 << 26,
	Ulimits: []api.Ulimit{{Name: "nofile", Soft: 1024, Hard: -1}}, Devices: []api.Device{{Host: "/dev/fuse"}, {Host: "/dev/dri", Container: "/dev/x", Permissions: "r"}},
	DeviceRequests: []api.DeviceRequest{{Driver: "nvidia", Count: -1, Capabilities: [][]string{{"gpu"}}, Options: map[string]string{"a": "b"}}, {Driver: "nvidia", IDs: []string{"0"}}},
	CapAdd:         []string{"SYS_PTRACE"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, Sysctls: map[string]string{"net.core.somaxconn": "1024"}, Privileged: true,
	Key: "etl/2026-11-22/import/-1", Epoch: 3, Join: "success", OnConflict: "replace", PinScope: "etl/2026-11-22", Fresh: true,
	WaitWarm: api.Duration(90 * time.Second), Deadline: api.Duration(time.Hour), Keepalive: api.Duration(10 * time.Minute), KeepaliveAction: "stop",
	Priority: -5, Hosts: []string{"a"}, HostLabels: map[string]string{"pool": "etl"}, ConcurrencyGroup: "import", ConcurrencyLimit: 2,
	Meta: map[string]string{"owner": "ada"}, Try: 2, Tries: 3, SkipExitCodes: []int{99, 1}, LogCap: 1 << 24,
}

var everythingAsked = runner.Ask{
	Spec: runner.Spec{
		Image: "jobs", Command: []string{"a b", "", "<&>\n\"é\""}, Entrypoint: []string{"/bin/sh", "-c"}, Env: []string{"A=", "B=c=d"},
		SecretEnv: []runner.SecretEnv{{Name: "TOKEN"}, {Name: "KEY", File: "/run/secrets/key"}},
		User:      "1:2", Groups: []string{"video", "44"}, Workdir: "/w/x", Hostname: "job-1", TTY: true, Init: true,
		Network: "etl", Aliases: []string{"job"}, DNS: []string{"10.0.0.53"}, DNSSearch: []string{"example.com"}, DNSOptions: []string{"ndots:2"},
		ExtraHosts: []string{"db:10.0.0.5", "six:::1", "me:host-gateway"},
		Ports:      []runner.Port{{Container: 80, Protocol: "tcp"}, {Container: 53, Protocol: "udp", HostIP: "127.0.0.1", Host: 5353}},
		IPC:        "container:other", PID: "host",
		Mounts: []runner.Mount{
			{Kind: runner.Bind, Source: "/srv/data", Target: "/data", ReadOnly: true},
			{Kind: runner.Volume, Source: "cache", Target: "/cache"},
			{Kind: runner.Volume, Target: "/anonymous"},
			{Kind: runner.Tmpfs, Target: "/tmp", Size: 1 << 20, Mode: 0o1777},
		},
		Scratch: &runner.Scratch{Kind: runner.Tmpfs, Target: "/scratch", Size: 1 << 30}, ScopeVolume: "/shared", Result: "/airflow/xcom/return.json",
		Memory: 1 << 30, MemorySwap: -1, MemoryReservation: 1 << 29, NanoCPUs: 300_000_000, CPUShares: 512, CPUSet: "0-3,7", PidsLimit: 100, ShmSize: 1 << 26,
		Ulimits: []runner.Ulimit{{Name: "nofile", Soft: 1024, Hard: -1}},
		Devices: []runner.Device{{Host: "/dev/fuse", Container: "/dev/fuse", Permissions: "rwm"}, {Host: "/dev/dri", Container: "/dev/x", Permissions: "r"}},
		DeviceRequests: []runner.DeviceRequest{
			{Driver: "nvidia", Count: -1, Capabilities: [][]string{{"gpu"}}, Options: map[string]string{"a": "b"}}, {Driver: "nvidia", IDs: []string{"0"}},
		},
		CapAdd: []string{"SYS_PTRACE"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, Sysctls: map[string]string{"net.core.somaxconn": "1024"},
		Privileged: true, ReadOnly: true, Labels: map[string]string{"team": "etl"}, StopSignal: "SIGINT", StopGrace: time.Minute, Platform: "linux/arm64/v8", LogCap: 1 << 24,
	},
	Terms: runner.Terms{
		Namespace: "default", Key: "etl/2026-11-22/import/-1", Epoch: 3, Join: runner.JoinSuccess, Scope: "etl/2026-11-22", Fresh: true,
		WaitWarm: 90 * time.Second, Limit: time.Hour, Keepalive: 10 * time.Minute, KeepaliveAction: runner.KeepaliveStop, Priority: -5,
		Hosts: []string{"a"}, HostLabels: map[string]string{"pool": "etl"}, Group: "import", GroupLimit: 2, Meta: map[string]string{"owner": "ada"},
		Try: 2, Tries: 3, SkipExitCodes: []int{99, 1}, Unmasked: true, KeepVolume: true,
	},
	Secrets: map[string]string{"TOKEN": "hunter2"}, Idempotency: "word", OnConflict: runner.ConflictReplace,
}

// A field that was added and forgotten in one of the two is empty there.
func TestASubmitArrivesWhole(t *testing.T) {
	t.Parallel()
	for _, v := range []any{everything, everythingAsked, everythingAsked.Spec, everythingAsked.Terms} {
		for i := range reflect.TypeOf(v).NumField() {
			name := reflect.TypeOf(v).Field(i).Name
			ofTheToken := reflect.TypeOf(v) == reflect.TypeFor[runner.Ask]() && (name == "Images" || name == "Policy")
			if reflect.ValueOf(v).Field(i).IsZero() && !ofTheToken {
				t.Errorf("%T: the test leaves %s out", v, name)
			}
		}
	}
	s := alone(t)
	if _, err := s.client.Submit(t.Context(), everything, "word"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everythingAsked, s.runs.ask()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatASubmitLeavesOut(t *testing.T) {
	t.Parallel()
	s := alone(t)
	s.request(http.MethodPost, "/v1/runs", `{"image":"jobs"}`).into(new(api.Submitted))
	want := runner.Ask{
		Spec:       runner.Spec{Image: "jobs"},
		Terms:      runner.Terms{Namespace: "default", Join: runner.JoinActive, KeepaliveAction: runner.KeepaliveReport},
		OnConflict: runner.ConflictRefuse,
	}
	if diff := cmp.Diff(want, s.runs.ask()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.request(http.MethodPost, "/v1/runs", `{"image":"jobs","concurrency_group":"g","scratch":{"type":"volume"}}`).into(new(api.Submitted))
	if ask := s.runs.ask(); ask.Terms.GroupLimit != 1 || *ask.Spec.Scratch != (runner.Scratch{Kind: runner.Volume, Target: "/scratch"}) {
		t.Errorf("%+v %+v", ask.Terms, ask.Spec.Scratch)
	}
}

func TestFormsOfASubmit(t *testing.T) {
	t.Parallel()
	s := alone(t)
	many := make(map[string]string)
	for i := range 65 {
		many[fmt.Sprint(i)] = "x"
	}
	manyJSON, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ field, says string }{
		{`"workdir":"tmp"`, `workdir: it is no absolute path (got "tmp")`},
		{`"workdir":"/a\nb"`, `workdir: it is no absolute path (got "/a\nb")`},
		{`"user":"a\tb"`, `user: it has a control character (got "a\tb")`},
		{`"groups":[""]`, `groups[0]: it is empty`},
		{`"groups":["a b"]`, `groups[0]: it has characters that no name has (got "a b")`},
		{`"hostname":"-a"`, `hostname: it is no name of a host (got "-a")`},
		{`"hostname":"` + strings.Repeat("a", 65) + `"`, `hostname: it is no name of a host (got "aaa`},
		{`"stop_signal":"SIG INT"`, `stop_signal: it is no signal (got "SIG INT")`},
		{`"stop_signal":"0"`, `stop_signal: it is no signal (got "0")`},
		{`"platform":"linux"`, `platform: it is no platform (got "linux")`},
		{`"labels":{"":"x"}`, `labels: a name is empty`},
		{`"labels":{"prewarm.run":"x"}`, `labels: labels that begin with prewarm. are the server's (got "prewarm.run")`},
		{`"network":"a b"`, `network: it has characters that no name has (got "a b")`},
		{`"network_aliases":["a\u0000"]`, `network_aliases[0]: it has characters that no name has (got "a\x00")`},
		{`"dns":["dns.example.com"]`, `dns[0]: it is no IP address (got "dns.example.com")`},
		{`"extra_hosts":["db=10.0.0.5"]`, `extra_hosts[0]: it is no name:ip (got "db=10.0.0.5")`},
		{`"extra_hosts":["db:10.0.0"]`, `extra_hosts[0]: it is no name:ip (got "db:10.0.0")`},
		{`"extra_hosts":["six:[::1]"]`, `extra_hosts[0]: it is no name:ip (got "six:[::1]")`},
		{`"extra_hosts":[":10.0.0.1"]`, `extra_hosts[0]: it is no name:ip (got ":10.0.0.1")`},
		{`"ports":[{"container":80,"host_ip":"localhost"}]`, `ports[0].host_ip: it is no IP address (got "localhost")`},
		{`"ipc":"sharable"`, `ipc: there is no such mode (got "sharable")`},
		{`"pid":"container:"`, `pid: there is no such mode (got "container:")`},
		{`"mounts":[{"type":"bind","target":"/x"}]`, `mounts[0].source: it is no absolute path`},
		{`"mounts":[{"type":"bind","source":"data","target":"/x"}]`, `mounts[0].source: it is no absolute path (got "data")`},
		{`"mounts":[{"type":"bind","source":"/data","target":"x"}]`, `mounts[0].target: it is no absolute path (got "x")`},
		{`"mounts":[{"type":"bind","source":"/data","target":"/x/.."}]`, `mounts[0].target: it is the container's root (got "/x/..")`},
		{`"mounts":[{"type":"volume","source":"/data","target":"/x"}]`, `mounts[0].source: it is no name of a volume (got "/data")`},
		{`"mounts":[{"type":"tmpfs","source":"x","target":"/x"}]`, `mounts[0].source: a tmpfs has no source (got "x")`},
		{`"mounts":[{"type":"volume","target":"/x","size":1}]`, `mounts[0]: size and mode are those of a tmpfs`},
		{`"mounts":[{"type":"tmpfs","target":"/x","mode":4096}]`, `mounts[0].mode: it is no mode of a file (got "4096")`},
		{`"mounts":[{"type":"tmpfs","target":"/x"},{"type":"volume","target":"/x/"}]`, `mounts[1].target: there is something mounted already: mounts[0].target (got "/x/")`},
		{`"scratch":{"type":"volume","size":1}`, `scratch.size: a volume has no size (got "1")`},
		{`"scratch":{"type":"volume","target":"x"}`, `scratch.target: it is no absolute path (got "x")`},
		{`"scratch":{"type":"tmpfs"},"mounts":[{"type":"tmpfs","target":"/scratch"}]`, `scratch.target: there is something mounted already: mounts[0].target (got "/scratch")`},
		{`"scope_volume":"/x"`, `scope_volume: it means nothing without pin_scope`},
		{`"scope_volume":"x","pin_scope":"s"`, `scope_volume: it is no absolute path (got "x")`},
		{`"keep_volume_on_failure":true`, `keep_volume_on_failure: it means nothing without scope_volume`},
		{`"result":"return.json"`, `result: it is no absolute path (got "return.json")`},
		{`"result":"/xcom/"`, `result: it is a folder (got "/xcom/")`},
		{`"memory":1000,"memory_swap":999`, `memory_swap: it is less than memory, which it includes (got "999")`},
		{`"memory":1000,"memory_reservation":1001`, `memory_reservation: it is more than memory (got "1001")`},
		{`"cpus":1e-12`, `cpus: it is less than a billionth (got "1e-12")`},
		{`"cpuset":"0..3"`, `cpuset: it is no list of CPUs (got "0..3")`},
		{`"ulimits":[{"name":"NOFILE","soft":1,"hard":1}]`, `ulimits[0].name: it is no limit (got "NOFILE")`},
		{`"ulimits":[{"name":"nofile","soft":2,"hard":1}]`, `ulimits[0]: the soft limit 2 is above the hard one, 1`},
		{`"ulimits":[{"name":"nofile","soft":-1,"hard":1}]`, `ulimits[0]: the soft limit -1 is above the hard one, 1`},
		{`"ulimits":[{"name":"nofile","soft":1,"hard":-2}]`, `ulimits[0]: a limit is below -1`},
		{`"devices":[{"host":"nvidia.com/gpu=0"}]`, `devices[0].host: it is no absolute path (got "nvidia.com/gpu=0")`},
		{`"devices":[{"host":"/dev/x","permissions":"x"}]`, `devices[0].permissions: it is made of r, w and m (got "x")`},
		{`"device_requests":[{"capabilities":[["gpu"]]}]`, `device_requests[0]: it needs exactly one of count and device_ids`},
		{`"device_requests":[{"count":1,"device_ids":["0"],"driver":"x"}]`, `device_requests[0]: it needs exactly one of count and device_ids`},
		{`"device_requests":[{"count":1}]`, `device_requests[0]: it names neither a driver nor capabilities`},
		{`"cap_add":["SYS PTRACE"]`, `cap_add[0]: it is no capability (got "SYS PTRACE")`},
		{`"cap_drop":[""]`, `cap_drop[0]: it is no capability`},
		{`"security_opt":["a b"]`, `security_opt[0]: it has characters that no name has (got "a b")`},
		{`"sysctls":{"net core":"1"}`, `sysctls: it is no name of a setting (got "net core")`},
		{`"command":["a\u0000"]`, `command[0]: it has a zero byte, which no program can be given`},
		{`"env":["A=\u0000"]`, `env[0]: it has a zero byte, which no program can be given`},
		{`"secret_env":[{"name":"A"}]`, `secret_env[0]: it needs exactly one of value and file`},
		{`"secret_env":[{"name":"A=b","value":"c"}]`, `secret_env[0].name: it is no name of a variable`},
		{`"env":["A=b"],"secret_env":[{"name":"A","value":"c"}]`, `secret_env[0].name: the variable is set twice`},
		{`"secret_env":[{"name":"A","value":"c"},{"name":"A","file":"/d"}]`, `secret_env[1].name: the variable is set twice`},
		{`"secret_env":[{"name":"A","file":"d"}]`, `secret_env[0].file: it is no absolute path`},
		{`"unmasked":true`, `unmasked: it means nothing without secret_env`},
		{`"key":"a\nb"`, `key: it has a control character (got "a\nb")`},
		{`"pin_scope":"a\u0000b"`, `pin_scope: it has a control character (got "a\x00b")`},
		{`"epoch":1`, `epoch: it means nothing without key`},
		{`"join":"success"`, `join: it means nothing without key`},
		{`"on_conflict":"replace"`, `on_conflict: it means nothing without key`},
		{`"keepalive_action":"stop"`, `keepalive_action: it means nothing without keepalive`},
		{`"concurrency_limit":2`, `concurrency_limit: it means nothing without concurrency_group`},
		{`"concurrency_group":"a\u007f"`, `concurrency_group: it has a control character (got "a\x7f")`},
		{`"tries":2`, `tries: it means nothing without try`},
		{`"try":3,"tries":2`, `try: the task has 2 tries (got "3")`},
		{`"skip_exit_codes":[99,0]`, `skip_exit_codes[1]: it is no exit code of a program that did nothing (got "0")`},
		{`"skip_exit_codes":[256]`, `skip_exit_codes[0]: it is no exit code of a program that did nothing (got "256")`},
		{`"hosts":[""]`, `hosts[0]: it is empty`},
		{`"host_labels":{"":"x"}`, `host_labels: a name is empty`},
		{`"meta":{"a\nb":"x"}`, `meta: it has a control character (got "a\nb")`},
		{`"meta":{"` + strings.Repeat("m", 65) + `":"x"}`, `meta: a name has 65 bytes, 64 is the most (got "mmm`},
		{`"meta":{"link":"` + strings.Repeat("x", 1025) + `"}`, `meta: a value has 1025 bytes, 1024 is the most (got "link")`},
		{`"meta":` + string(manyJSON), `meta: it has 65 entries, 64 is the most`},
	} {
		p := s.request(http.MethodPost, "/v1/runs", `{"image":"jobs",`+c.field+`}`).problem(http.StatusUnprocessableEntity, problem.InvalidRequest)
		if !strings.HasPrefix(p.Detail, c.says) || len(p.Detail) > len(c.says)+100 || p.Mend == "" {
			t.Errorf("%s\n says %q (%s)\n want %q", c.field, p.Detail, p.Mend, c.says)
		}
	}
	if len(s.runs.asks) != 0 {
		t.Errorf("%d arrived all the same", len(s.runs.asks))
	}
}
