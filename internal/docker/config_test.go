package docker

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/runner"
)

// TestTheWholeSpec: every field of a spec arrives at the engine.
func TestTheWholeSpec(t *testing.T) {
	t.Parallel()
	e := warmEngine(t)
	var asked map[string]any
	var query string
	e.on("POST /containers/create", func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Query().Get("platform")
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		reply(http.StatusCreated, `{"Id":"c1"}`)(w, r)
	})
	e.on("PUT /containers/c1/archive", reply(http.StatusOK, ""))
	e.on("GET /containers/c1/json", inspected(config1, stateCreated, ourLabels))
	c := containerOf(t, runner.Spec{
		Command: []string{"a"}, User: "1:2", Groups: []string{"3"}, Hostname: "worker", TTY: true, Init: true,
		Network: "etl", Aliases: []string{"job"}, DNS: []string{"10.0.0.1"}, DNSSearch: []string{"test"}, DNSOptions: []string{"ndots:1"}, ExtraHosts: []string{"db:10.0.0.2"},
		Ports: []runner.Port{{Container: 80}, {Container: 53, Protocol: "udp", HostIP: "127.0.0.1", Host: 5353}, {Container: 53, Protocol: "udp", Host: 53}},
		IPC:   "none", PID: "host",
		Mounts: []runner.Mount{
			{Kind: runner.Bind, Source: "/srv", Target: "/data", ReadOnly: true},
			{Kind: runner.Volume, Source: "v", Target: "/v"},
			{Kind: runner.Tmpfs, Target: "/t", Size: 5, Mode: 0o1700},
		},
		Scratch: &runner.Scratch{Kind: runner.Volume, Target: "/scratch"}, ScopeVolume: "/share",
		Memory: 1, MemorySwap: -1, MemoryReservation: 2, NanoCPUs: 3, CPUShares: 4, CPUSet: "0-1", PidsLimit: 5, ShmSize: 6,
		Ulimits: []runner.Ulimit{{Name: "nofile", Soft: 7, Hard: 8}}, Devices: []runner.Device{{Host: "/dev/fuse"}, {Host: "/dev/a", Container: "/dev/b", Permissions: "r"}},
		DeviceRequests: []runner.DeviceRequest{{Driver: "nvidia", Count: -1, Capabilities: [][]string{{"gpu"}}}},
		CapAdd:         []string{"NET_ADMIN"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, Sysctls: map[string]string{"net.a": "1"}, Privileged: true,
		Labels: map[string]string{"team": "etl", labelRun: "mine"}, StopSignal: "SIGINT", Platform: "linux/amd64",
	})
	c.ScopeVolume = "scope1"
	if _, err := e.host().Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if query != "linux/amd64" {
		t.Errorf("platform %q", query)
	}
	host, ok := asked["HostConfig"].(map[string]any)
	if !ok {
		t.Fatalf("no HostConfig in %v", asked)
	}
	want(t, asked, `{
		"Cmd": ["a"], "User": "1:2", "Hostname": "worker", "Tty": true, "StopSignal": "SIGINT", "Env": ["TMPDIR=/scratch"],
		"ExposedPorts": {"80/tcp": {}, "53/udp": {}},
		"Labels": {"team": "etl", "prewarm.instance": "inst", "prewarm.run": "r1", "prewarm.image": "jobs", "prewarm.digest": "`+digestA+`"}}`)
	want(t, host, `{
		"GroupAdd": ["3"], "Init": true, "NetworkMode": "etl", "Dns": ["10.0.0.1"], "DnsSearch": ["test"], "DnsOptions": ["ndots:1"], "ExtraHosts": ["db:10.0.0.2"],
		"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}, {"HostIp": "", "HostPort": "53"}]},
		"IpcMode": "none", "PidMode": "host", "Memory": 1, "MemorySwap": -1, "MemoryReservation": 2, "NanoCpus": 3, "CpuShares": 4, "CpusetCpus": "0-1", "PidsLimit": 5, "ShmSize": 6,
		"Mounts": [
			{"Type": "bind", "Source": "/srv", "Target": "/data", "ReadOnly": true}, {"Type": "volume", "Source": "v", "Target": "/v"},
			{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 5, "Mode": 960}},
			{"Type": "volume", "Target": "/scratch"}, {"Type": "volume", "Source": "scope1", "Target": "/share"}],
		"Ulimits": [{"Name": "nofile", "Soft": 7, "Hard": 8}],
		"Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}, {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}],
		"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": null}],
		"CapAdd": ["CAP_NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Sysctls": {"net.a": "1"}, "Privileged": true, "ReadonlyRootfs": false}`)
	networks, ok := asked["NetworkingConfig"].(map[string]any)["EndpointsConfig"].(map[string]any)["etl"].(map[string]any)
	if !ok {
		t.Fatalf("no network in %v", asked["NetworkingConfig"])
	}
	want(t, networks, `{"Aliases": ["job"]}`)
}

// want holds what was asked for against JSON of some of its fields.
func want(t *testing.T, got map[string]any, fields string) {
	t.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(fields), &wanted); err != nil {
		t.Fatal(err)
	}
	some := map[string]any{}
	for name := range wanted {
		some[name] = got[name]
	}
	if diff := cmp.Diff(wanted, some); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// TestOldEnginesAreToldNoPlatform: they would refuse the whole call.
func TestOldEnginesAreToldNoPlatform(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"1.40": "", "1.41": "linux/arm/v7"} {
		e := newVersion(t, version)
		e.on("POST /containers/create", func(w http.ResponseWriter, r *http.Request) {
			if got := r.URL.Query().Get("platform"); got != want {
				t.Errorf("API %s: platform %q, want %q", version, got, want)
			}
			reply(http.StatusCreated, `{"Id":"c1"}`)(w, r)
		})
		h := e.host()
		id, err := h.ask(t.Context(), containerOf(t, runner.Spec{Platform: "linux/arm/v7"}), room{})
		if err != nil || id != "c1" {
			t.Errorf("API %s: %q, %v", version, id, err)
		}
	}
}

func TestScratchIsWhereTemporaryFilesGo(t *testing.T) {
	t.Parallel()
	given := []string{"A=1"}
	for _, c := range []struct {
		scratch *runner.Scratch
		env     []string
		want    []string
	}{
		{nil, given, []string{"A=1"}},
		{&runner.Scratch{Target: "/s"}, given, []string{"A=1", "TMPDIR=/s"}},
		{&runner.Scratch{Target: "/s"}, []string{"TMPDIR=/mine"}, []string{"TMPDIR=/mine"}},
		{&runner.Scratch{Target: "/s"}, nil, []string{"TMPDIR=/s"}},
	} {
		got := environment(runner.Container{Spec: runner.Spec{Scratch: c.scratch, Env: []string{"NOT=used"}}, Env: c.env})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.scratch, diff)
		}
	}
}
