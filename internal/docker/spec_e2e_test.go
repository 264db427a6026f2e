//go:build e2e

package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// TestContractOfTheSpec: what a spec asks for reaches the program.
func TestContractOfTheSpec(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	specReachesTheProgram(t, h)
}

func specReachesTheProgram(t *testing.T, h *Host) {
	t.Helper()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		spec runner.Spec
		want []string // beginnings of lines of "program facts"
		none []string
	}{
		{
			"the engine's own",
			runner.Spec{},
			[]string{"uid 0", "pid 1", "nonewprivs 0", "mount / overlay rw"},
			[]string{"mount /data"},
		},
		{
			"user and identity",
			runner.Spec{User: "1000:1001", Groups: []string{"2000", "2001"}, Hostname: "worker", SecurityOpt: []string{"no-new-privileges"}},
			[]string{"uid 1000", "gid 1001", "groups 1001 2000 2001", "hostname worker", "nonewprivs 1"},
			nil,
		},
		{
			"no capabilities", runner.Spec{CapDrop: []string{"ALL"}}, []string{"caps 0000000000000000"}, nil,
		},
		{
			"one capability", runner.Spec{CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN"}}, []string{"caps 0000000000001000"}, nil,
		},
		{
			"limits and init",
			runner.Spec{
				Init: true, Ulimits: []runner.Ulimit{{Name: "nofile", Soft: 777, Hard: 888}}, ShmSize: 8 << 20,
				PidsLimit: 50, MemoryReservation: 16 << 20, Memory: 64 << 20, CPUShares: 512, CPUSet: "0", NanoCPUs: 5e8, IPC: "private",
				Sysctls: map[string]string{"net.ipv4.ip_forward": "0"},
			},
			[]string{"nofile 888", "mount /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=8192k"},
			[]string{"pid 1\n"},
		},
		{
			"mounts",
			runner.Spec{ReadOnly: true, Mounts: []runner.Mount{
				{Kind: runner.Bind, Source: dir, Target: "/data", ReadOnly: true},
				{Kind: runner.Tmpfs, Target: "/quick", Size: 1 << 20, Mode: 0o700},
				{Kind: runner.Volume, Source: "spec-e2e", Target: "/kept"},
				{Kind: runner.Volume, Target: "/passing"},
			}},
			[]string{"mount / overlay ro", "mount /data ", "mount /quick tmpfs rw", "mount /kept ", "mount /passing "},
			nil,
		},
		{
			"names and ports",
			runner.Spec{
				Network: "bridge", DNS: []string{"10.9.8.7"}, DNSSearch: []string{"etl.test"}, DNSOptions: []string{"ndots:2"}, ExtraHosts: []string{"db:10.1.2.3"},
				Ports: []runner.Port{{Container: 80}, {Container: 53, Protocol: "udp", HostIP: "127.0.0.1", Host: 5353}}, Labels: map[string]string{"team": "etl"}, Platform: "linux/amd64",
			},
			[]string{"uid 0"},
			nil,
		},
	} {
		c.spec.Command = []string{"facts"}
		id := launch(t, h, c.spec)
		if exit, err := h.Wait(t.Context(), id, ""); err != nil || exit.Code != 0 {
			t.Errorf("%s: Wait = %+v, %v", c.name, exit, err)
		}
		facts := "\n" + strings.Join(follow(t, h, id), "\n") + "\n"
		for _, want := range c.want {
			if !strings.Contains(facts, "\n"+want) {
				t.Errorf("%s: facts lack %q:%s", c.name, want, facts)
			}
		}
		for _, none := range c.none {
			if strings.Contains(facts, "\n"+none) {
				t.Errorf("%s: facts have %q:%s", c.name, none, facts)
			}
		}
		if err := h.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestContractOfPorts: they are published, and names are in the network.
func TestContractOfPorts(t *testing.T) {
	h := shared.host(t, shared.fleet.Hosts[0].Socket)
	id := launch(t, h, runner.Spec{
		Command: []string{"sleep", "1m"}, Network: "bridge", ExtraHosts: []string{"db:10.1.2.3"}, StopSignal: "SIGKILL",
		Ports: []runner.Port{{Container: 80}, {Container: 53, Protocol: "udp", HostIP: "127.0.0.1", Host: 5353}}, Labels: map[string]string{"team": "etl", labelRun: "mine"},
	})
	seen, err := engineAPI(t, h).ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if p := seen.NetworkSettings.Ports["53/udp"]; len(p) != 1 || p[0].HostIP != "127.0.0.1" || p[0].HostPort != "5353" {
		t.Errorf("port 53/udp is published as %+v", p)
	}
	if p := seen.NetworkSettings.Ports["80/tcp"]; len(p) == 0 || p[0].HostPort == "" || p[0].HostPort == "0" {
		t.Errorf("port 80/tcp is published as %+v", p)
	}
	if !slices.Contains(seen.HostConfig.ExtraHosts, "db:10.1.2.3") || seen.Config.Labels["team"] != "etl" || seen.Config.Labels[labelRun] != "e2e" {
		t.Errorf("extra hosts %q, labels %v", seen.HostConfig.ExtraHosts, seen.Config.Labels)
	}
	// Its stop signal is a kill: the grace is not waited for.
	within(t, 10*time.Second, func() {
		if ran, err := h.Stop(t.Context(), id, time.Minute); err != nil || !ran {
			t.Errorf("Stop = %v, %v", ran, err)
		}
	})
	if exit, err := h.Wait(t.Context(), id, ""); err != nil || exit.Code != 137 {
		t.Errorf("Wait = %+v, %v; want 137", exit, err)
	}
}
