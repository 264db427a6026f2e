package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// requestOf is the submit that run's flags mean in an environment.
func requestOf(env []string, args ...string) (api.SubmitRun, error) {
	f := runFlags{caller: caller{environ: append([]string{}, env...)}}
	cmd := &cobra.Command{Use: "run"}
	f.register(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return api.SubmitRun{}, err
	}
	return f.request(cmd.Flags(), "jobs", nil)
}

// flagTests are what each flag means: together they set every field of a
// submit.
var flagTests = []struct {
	args string // with blanks between them
	want api.SubmitRun
}{
	{"-e A=1 --env B=2 -e TOKEN -e UNSET", api.SubmitRun{Env: []string{"A=1", "B=2", "TOKEN=t0ken"}}},
	{"--secret-env TOKEN --secret-env KEY=file:/run/secrets/key", api.SubmitRun{SecretEnv: []api.SecretEnv{
		{Name: "TOKEN", Value: "t0ken"}, {Name: "KEY", File: "/run/secrets/key"},
	}}},
	{"--unmasked", api.SubmitRun{Unmasked: true}},

	{"-u 7:8", api.SubmitRun{User: "7:8"}},
	{"--user app", api.SubmitRun{User: "app"}},
	{"--group-add audio --group-add 20", api.SubmitRun{Groups: []string{"audio", "20"}}},
	{"-w /srv", api.SubmitRun{Workdir: "/srv"}},
	{"--entrypoint sh", api.SubmitRun{Entrypoint: []string{"sh"}}},
	{"--entrypoint=", api.SubmitRun{Entrypoint: []string{""}}},
	{"-h job", api.SubmitRun{Hostname: "job"}},
	{"--hostname job", api.SubmitRun{Hostname: "job"}},
	{"-t", api.SubmitRun{TTY: true}},
	{"--init", api.SubmitRun{Init: true}},
	{"-l a=1 --label b --label c=x=y", api.SubmitRun{Labels: map[string]string{"a": "1", "b": "", "c": "x=y"}}},
	{"--stop-signal SIGINT --stop-timeout 90", api.SubmitRun{StopSignal: "SIGINT", StopGrace: api.Duration(90 * time.Second)}},
	{"--platform linux/arm64", api.SubmitRun{Platform: "linux/arm64"}},

	{"--network etl --network-alias job --network-alias j2", api.SubmitRun{Network: "etl", Aliases: []string{"job", "j2"}}},
	{"--dns 10.0.0.2 --dns ::1 --dns-search a.test --dns-option ndots:2", api.SubmitRun{
		DNS: []string{"10.0.0.2", "::1"}, DNSSearch: []string{"a.test"}, DNSOptions: []string{"ndots:2"},
	}},
	{"--add-host db:10.0.0.5 --add-host six=::1 --add-host b:[::2] --add-host up:host-gateway", api.SubmitRun{
		ExtraHosts: []string{"db:10.0.0.5", "six:::1", "b:::2", "up:host-gateway"},
	}},
	{"-p 80", api.SubmitRun{Ports: []api.Port{{Container: 80}}}},
	{"-p 8080:80/udp", api.SubmitRun{Ports: []api.Port{{Container: 80, Protocol: "udp", Host: 8080}}}},
	{"-p 127.0.0.1:8080:80/tcp", api.SubmitRun{Ports: []api.Port{{Container: 80, Protocol: "tcp", HostIP: "127.0.0.1", Host: 8080}}}},
	{"-p 127.0.0.1::80", api.SubmitRun{Ports: []api.Port{{Container: 80, HostIP: "127.0.0.1"}}}},
	{"-p [::1]:8080:80", api.SubmitRun{Ports: []api.Port{{Container: 80, HostIP: "::1", Host: 8080}}}},
	{"--publish 8000-8001:80-81", api.SubmitRun{Ports: []api.Port{{Container: 80, Host: 8000}, {Container: 81, Host: 8001}}}},
	{"--ipc none", api.SubmitRun{IPC: "none"}},
	{"--pid host", api.SubmitRun{PID: "host"}},

	{"-v /srv/data:/data:ro -v cache:/cache -v /scrap -v name:/n:rw", api.SubmitRun{Mounts: []api.Mount{
		{Type: "bind", Source: "/srv/data", Target: "/data", ReadOnly: true},
		{Type: "volume", Source: "cache", Target: "/cache"},
		{Type: "volume", Target: "/scrap"},
		{Type: "volume", Source: "name", Target: "/n"},
	}}},
	{"--mount type=bind,source=/srv,target=/data,readonly", api.SubmitRun{Mounts: []api.Mount{{Type: "bind", Source: "/srv", Target: "/data", ReadOnly: true}}}},
	{"--mount src=cache,dst=/cache,ro=false", api.SubmitRun{Mounts: []api.Mount{{Type: "volume", Source: "cache", Target: "/cache"}}}},
	{`--mount type=bind,"src=/a,b",destination=/c,ro=1`, api.SubmitRun{Mounts: []api.Mount{{Type: "bind", Source: "/a,b", Target: "/c", ReadOnly: true}}}},
	{"--mount type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770", api.SubmitRun{Mounts: []api.Mount{{Type: "tmpfs", Target: "/t", Size: 64 << 20, Mode: 0o1770}}}},
	{"--tmpfs /t --tmpfs /u:size=64m,mode=1777,ro", api.SubmitRun{Mounts: []api.Mount{
		{Type: "tmpfs", Target: "/t"}, {Type: "tmpfs", Target: "/u", Size: 64 << 20, Mode: 0o1777, ReadOnly: true},
	}}},
	{"--scratch", api.SubmitRun{Scratch: &api.Scratch{Type: "volume"}}},
	{"--scratch=tmpfs:/work:size=1g", api.SubmitRun{Scratch: &api.Scratch{Type: "tmpfs", Target: "/work", Size: 1 << 30}}},
	{"--scratch=:/work", api.SubmitRun{Scratch: &api.Scratch{Type: "volume", Target: "/work"}}},
	{"--scratch=/work", api.SubmitRun{Scratch: &api.Scratch{Type: "volume", Target: "/work"}}},
	{"--scope-volume /files --keep-volume-on-failure", api.SubmitRun{ScopeVolume: "/files", KeepVolume: true}},
	{"--read-only", api.SubmitRun{ReadOnly: true}},
	{"--result /out.json", api.SubmitRun{Result: "/out.json"}},
	{"--print-result", api.SubmitRun{Result: "/airflow/xcom/return.json"}},

	{"-m 512m --memory-swap 1g --memory-reservation 256m", api.SubmitRun{Memory: 512 << 20, MemorySwap: 1 << 30, MemoryReservation: 256 << 20}},
	{"--memory 2g --memory-swap -1", api.SubmitRun{Memory: 2 << 30, MemorySwap: -1}},
	{"--cpus 1.5 -c 512 --cpuset-cpus 0-3,7 --pids-limit 100", api.SubmitRun{CPUs: 1.5, CPUShares: 512, CPUSet: "0-3,7", PidsLimit: 100}},
	{"--shm-size 256m", api.SubmitRun{ShmSize: 256 << 20}},
	{"--ulimit nofile=1024:4096 --ulimit core=-1", api.SubmitRun{Ulimits: []api.Ulimit{{Name: "nofile", Soft: 1024, Hard: 4096}, {Name: "core", Soft: -1, Hard: -1}}}},
	{"--device /dev/fuse --device /dev/a:/dev/b:rw --device /dev/c:r", api.SubmitRun{Devices: []api.Device{
		{Host: "/dev/fuse"}, {Host: "/dev/a", Container: "/dev/b", Permissions: "rw"}, {Host: "/dev/c", Permissions: "r"},
	}}},
	{"--gpus all --gpus 2", api.SubmitRun{DeviceRequests: []api.DeviceRequest{
		{Count: -1, Capabilities: [][]string{{"gpu"}}}, {Count: 2, Capabilities: [][]string{{"gpu"}}},
	}}},
	{`--gpus "device=0,1"`, api.SubmitRun{DeviceRequests: []api.DeviceRequest{{IDs: []string{"0", "1"}, Capabilities: [][]string{{"gpu"}}}}}},
	{`--gpus driver=nvidia,"capabilities=compute,utility",options=a=b`, api.SubmitRun{DeviceRequests: []api.DeviceRequest{
		{Driver: "nvidia", Count: 1, Capabilities: [][]string{{"compute", "utility", "gpu"}}, Options: map[string]string{"a": "b"}},
	}}},

	{"--cap-add SYS_PTRACE --cap-drop ALL", api.SubmitRun{CapAdd: []string{"SYS_PTRACE"}, CapDrop: []string{"ALL"}}},
	{"--security-opt no-new-privileges --privileged", api.SubmitRun{SecurityOpt: []string{"no-new-privileges"}, Privileged: true}},
	{"--sysctl net.core.somaxconn=1024", api.SubmitRun{Sysctls: map[string]string{"net.core.somaxconn": "1024"}}},

	{"--key etl", api.SubmitRun{Key: "etl"}},
	{"--key etl --epoch 2", api.SubmitRun{Key: "etl", Epoch: 2, Join: "success"}},
	{"--key etl --epoch 2 --join active --on-conflict replace", api.SubmitRun{Key: "etl", Epoch: 2, Join: "active", OnConflict: "replace"}},
	{"--pin-scope day --fresh --wait-warm 5m", api.SubmitRun{PinScope: "day", Fresh: true, WaitWarm: api.Duration(5 * time.Minute)}},
	{"--deadline 2h --keepalive 10m --keepalive-action stop", api.SubmitRun{
		Deadline: api.Duration(2 * time.Hour), Keepalive: api.Duration(10 * time.Minute), KeepaliveAction: "stop",
	}},
	{"--priority -5 --host e1,e2 --host e3 --host-label pool=etl", api.SubmitRun{
		Priority: -5, Hosts: []string{"e1", "e2", "e3"}, HostLabels: map[string]string{"pool": "etl"},
	}},
	{"--concurrency-group db --concurrency-limit 2", api.SubmitRun{ConcurrencyGroup: "db", ConcurrencyLimit: 2}},
	{"--meta owner=ada --meta link=https://a.test/?b=c", api.SubmitRun{Meta: map[string]string{"owner": "ada", "link": "https://a.test/?b=c"}}},
	{"--try 2 --tries 3 --skip-exit-code 99 --skip-exit-code 1", api.SubmitRun{Try: 2, Tries: 3, SkipExitCodes: []int{99, 1}}},
	{"--log-cap 100m", api.SubmitRun{LogCap: 100 << 20}},
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, test := range flagTests {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			got, err := requestOf([]string{"TOKEN=t0ken"}, strings.Fields(test.args)...)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Image = "jobs"
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// All of what a submit can say can be said with flags.
func TestFlagsSetEveryField(t *testing.T) {
	t.Parallel()
	said := map[string]bool{"Image": true, "Command": true} // the arguments
	for _, test := range flagTests {
		fields := reflect.ValueOf(test.want)
		for i := range fields.NumField() {
			if !fields.Field(i).IsZero() {
				said[fields.Type().Field(i).Name] = true
			}
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[api.SubmitRun]()) {
		if !said[field.Name] {
			t.Errorf("no flag sets %s", field.Name)
		}
	}
}

// What can't be meant is refused, with what to write instead.
func TestFlagsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ args, says string }{
		{"--env-file missing.env", "read --env-file: open missing.env: no such file or directory"},
		{"--secret-env TOKEN=hunter2", "--secret-env TOKEN: a value on a command line can be read by everybody on the machine (ps shows it): put it into the environment"},
		{"--secret-env MISSING", "--secret-env MISSING: the environment of prewarm run has no value for it: export it there, or write MISSING=file:/path"},
		{"--secret-env EMPTY", "--secret-env EMPTY: the environment of prewarm run has no value for it"},
		{"--secret-env =hunter2", `--secret-env: "" is no variable's name`},
		{"--secret-env KEY=file:secret", "write its absolute path, as KEY=file:/run/secrets/key"},

		{"-w srv", `--workdir "srv": want an absolute path in the container`},
		{"-l =x", `--label "=x": write it as name=value`},
		{"--stop-timeout -1", "--stop-timeout -1: it can't be negative"},
		{"--stop-timeout soon", `invalid argument "soon" for "--stop-timeout"`},

		{"--dns nowhere", `--dns "nowhere": want the IP address of a name server`},
		{"--add-host db", `--add-host "db": write it as db:10.0.0.5`},
		{"--add-host db:there", `--add-host "db:there": write it as db:10.0.0.5`},
		{"-p many", `--publish "many": write it as 8080:80`},
		{"-p 0", `--publish "0": write it as 8080:80`},
		{"-p 80:70000", `--publish "80:70000": write it`},
		{"-p 80/ftp", `--publish "80/ftp": write it`},
		{"-p here:80:80", `--publish "here:80:80": write it`},
		{"-p 8000-8002:80", `--publish "8000-8002:80": write it`},
		{"--ipc hots", `--ipc "hots": want none, private, shareable or host; did you mean host?`},
		{"--pid container:x", `--pid "container:x": want host, or leave it out`},

		{"-v data:", `--volume "data:": want an absolute path`},
		{"-v ./data:/data", `--volume "./data:/data": the path is one of the host that runs it, so write it from the root`},
		{"-v ~/data:/data", "so write it from the root"},
		{"-v /a:/b:z", `--volume "/a:/b:z": "z" is not among ro and rw`},
		{"-v /a:/b:ro:x", "write it as /srv/data:/data:ro or name:/data"},
		{"--mount type=nfs,target=/x", `type is bind, volume or tmpfs, not "nfs"`},
		{"--mount type=bind,source=data,target=/x", "source is a path of the host that runs it"},
		{"--mount type=tmpfs,source=/a,target=/x", "a tmpfs has no source"},
		{"--mount target=/x,tmpfs-size=1m", "tmpfs-size and tmpfs-mode are for type=tmpfs"},
		{"--mount target=/x,bind-propagation=shared", `"bind-propagation" is not among type, source, target`},
		{"--mount target", "target has no value"},
		{"--mount type=tmpfs,target=/x,tmpfs-mode=9", `the mode is "9": write it as 1777`},
		{"--mount source=x", `--mount "source=x": want an absolute path`},
		{"--tmpfs /t:size=50%", `the size is "50%": write it as 64m`},
		{"--tmpfs /t:exec", `"exec" is not among size, mode, ro and rw`},
		{"--tmpfs t", `--tmpfs "t": want an absolute path`},
		{"--scratch=disk", "--scratch=disk: write it as --scratch"},
		{"--scratch=volume:/w:size=1g", "write it as --scratch"},
		{"--scope-volume files", `--scope-volume "files": want an absolute path`},
		{"--result out.json", `--result "out.json": want an absolute path`},

		{"-m much", `--memory "much": write it as 512m or 1g`},
		{"-m -1g", `--memory "-1g": write it as 512m or 1g`},
		{"--memory-swap -2", `--memory-swap "-2": write it`},
		{"--memory-reservation x", `--memory-reservation "x": write it`},
		{"--shm-size x", `--shm-size "x": write it`},
		{"--cpus NaN", "--cpus NaN: write it as 1.5"},
		{"--cpus -2", "--cpus -2: write it as 1.5"},
		{"-c -1", "--cpu-shares -1: it can't be negative"},
		{"--pids-limit -1", "--pids-limit -1: it can't be negative; leave it out for none"},
		{"--ulimit nofile", `--ulimit "nofile": invalid ulimit argument`},
		{"--ulimit files=3", `invalid ulimit type: files`},
		{"--device fuse", `--device "fuse": write it as /dev/fuse`},
		{"--device /dev/a:/dev/b:x", "write it as /dev/fuse"},
		{"--gpus some", `--gpus "some": the count is all or a number, not "some"`},
		{"--gpus cards=2", `"cards" is not among count, driver`},
		{"--sysctl net.core", `--sysctl "net.core": write it as name=value`},

		{"--epoch 1", "--epoch, --join and --on-conflict are about a piece of work: name it with --key"},
		{"--on-conflict join", "name it with --key"},
		{"--key a --epoch -1", "--epoch -1: it can't be negative"},
		{"--key a --epoch x", `--epoch "x": want a whole number`},
		{"--key a --join any", `--join "any": want active or success`},
		{"--key a --on-conflict fight", `--on-conflict "fight": want refuse, join or replace`},
		{"--keepalive-action stop", "give that, too, as --keepalive 10m"},
		{"--keepalive 1m --keepalive-action kill", `--keepalive-action "kill": want report or stop`},
		{"--wait-warm -5s", "--wait-warm -5s: it can't be negative"},
		{"--deadline -5s", "--deadline -5s: it can't be negative"},
		{"--deadline soon", `invalid argument "soon" for "--deadline"`},
		{"--concurrency-limit 2", "name it with --concurrency-group"},
		{"--concurrency-group a --concurrency-limit -2", "it can't be negative"},
		{"--host-label pool", `--host-label "pool": write it as name=value`},
		{"--meta owner", `--meta "owner": write it as name=value`},
		{"--log-cap x", `--log-cap "x": write it`},

		{"--reconnect -1s", "--reconnect -1s: it can't be negative"},
		{"-d --print-result", "--detach does not see the run's end"},
		{"-d --status-file x", "use prewarm wait and prewarm inspect"},
		{"--network caf\xe9", `--network is not UTF-8: "caf\xe9"`},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			_, err := requestOf([]string{"EMPTY="}, strings.Fields(test.args)...)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want %s", err, test.says)
			}
		})
	}
}
