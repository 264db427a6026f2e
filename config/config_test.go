package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/internal/selection"
	"github.com/prewarm/prewarm/registry"
)

// comparers make cmp see through what it can't: Secret would look like any
// other, and Repository has no exported fields.
func comparers() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b registry.Repository) bool { return a == b }),
		cmp.Comparer(func(a, b registry.Pattern) bool { return a == b }),
		cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreUnexported(Config{}),
	}
}

// write makes a configuration file in a folder of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prewarm.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, path string, environ ...string) *Config {
	t.Helper()
	config, err := Load(path, environ)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func mustRepository(t *testing.T, s string) registry.Repository {
	t.Helper()
	repo, err := registry.ParseRepository(s)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func mustSchedule(t *testing.T, s string) schedule.Spec {
	t.Helper()
	spec, err := schedule.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func mustWindow(t *testing.T, o schedule.WindowOptions) schedule.Window {
	t.Helper()
	window, err := schedule.ParseWindow(o)
	if err != nil {
		t.Fatal(err)
	}
	return window
}

func mustSelect(t *testing.T, o selection.Options) selection.Spec {
	t.Helper()
	spec, err := selection.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestLoadFull(t *testing.T) {
	t.Parallel()
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(folder, "certs")
	standard := Promote{When: All, Straggler: 15 * time.Minute}
	want := &Config{
		Server: Server{
			Listen: "0.0.0.0:9000", PublicURL: "https://prewarm.example.com:9443/warm", LinkLife: 36 * time.Hour, Limits: ServerLimits{Rate: 100, Followers: 64},
			TLS: &ServerTLS{Cert: certs + "/server.pem", Key: certs + "/server.key", ClientCA: certs + "/ca.pem"},
		},
		Auth:   fullAuth(folder),
		State:  State{Path: filepath.Join(folder, "state"), Keep: 2160 * time.Hour},
		Limits: FleetLimits{Pulls: 16, Rate: 50},
		Registries: []Registry{
			{Name: "registry.example.com:5000", Username: "ci", Password: "s3cr3t", PlainHTTP: true},
			{
				Name: "docker.io", Username: "robot", Password: "from-a-file", PasswordFile: filepath.Join(folder, "secrets/password"),
				Rate: 100.0 / 60, Pulls: 4, Mirror: "cache.internal:5000/hub", Seed: true,
			},
			{Name: "ghcr.io", CAFile: certs + "/ca.pem", CertFile: certs + "/client.pem", KeyFile: certs + "/client.key", Seed: true},
		},
		Hosts: []Host{
			{Name: "etl-1", Endpoint: "unix:///var/run/docker.sock", Aliases: []string{"tcp://10.0.0.1:2375", "etl-1.internal:2376"}, Labels: map[string]string{"pool": "etl", "rack": "1.10"}, Limits: Limits{Pulls: 3, Runs: 8}, Disk: Disk{High: Mark{Percent: 85.5}, Low: Mark{Percent: 70}}, Env: []string{"REGION=eu-1", "GREETING=a=b, c"}, Binds: []string{"/srv/data", "/"}},
			{Name: "etl-2", Endpoint: "tcp://10.0.0.2:2375", Insecure: true, Labels: map[string]string{"pool": "etl"}, Limits: defaultLimits(), Disk: Disk{High: Mark{Bytes: 45 * gib}, Low: Mark{Bytes: 45 * gib}, Budget: 50 * gib}},
			{
				Name: "web-1", Endpoint: "tcp://[fd00::3]:2376", Labels: map[string]string{"pool": "web"}, Limits: defaultLimits(),
				TLS: &HostTLS{CA: certs + "/ca.pem", Cert: certs + "/client.pem", Key: certs + "/client.key", ServerName: "web-1.internal"},
			},
			{Name: "web-2", Endpoint: "tcp://web-2:2376", TLS: &HostTLS{}, Limits: defaultLimits(), Disk: Disk{High: Mark{Percent: 100}, Low: Mark{Percent: 100}, Budget: 100 * gib}},
			{
				Name: "gpu-1", Endpoint: "ssh://Deploy@gpu-1", Limits: defaultLimits(),
				SSH: &HostSSH{KeyFile: certs + "/client.key", KnownHosts: filepath.Join(folder, "secrets/known_hosts")},
			},
			{
				Name: "gpu-2", Endpoint: "ssh://deploy@[fd00::9]:2222/run/user/1000/docker.sock", Limits: defaultLimits(),
				SSH: &HostSSH{KnownHosts: filepath.Join(folder, "secrets/known_hosts")},
			},
			{Name: "spot-1", Endpoint: "tcp://10.1.0.1:2376", TLS: &HostTLS{CA: certs + "/ca.pem"}, Labels: map[string]string{"pool": "spot"}, Limits: defaultLimits()},
		},
		HostsFile: filepath.Join(folder, "hosts.yaml"),
		Images: []Image{
			{
				Name: "node-jobs", Repository: mustRepository(t, "registry.example.com/etl/node-jobs"), Track: Track{Tag: "1.10"},
				Hosts: map[string]string{"pool": "etl"}, Watch: mustSchedule(t, "CRON_TZ=Europe/Berlin */5 6-22 * * *"),
				Windows: schedule.Windows{
					mustWindow(t, schedule.WindowOptions{Days: "mon-fri", From: "20:00", To: "06:00", Zone: "Europe/Berlin"}),
					mustWindow(t, schedule.WindowOptions{Days: "sat,sun"}),
				},
				Cooldown: 10 * time.Minute, Approve: true,
				Verify: Verify{Command: []string{"cosign", "verify", "--key=/etc/cosign.pub", "{{.Pin}}"}, Timeout: 30 * time.Second},
				Promote: Promote{
					When: Quorum{Percent: 80}, Straggler: 5 * time.Minute,
					Windows: schedule.Windows{mustWindow(t, schedule.WindowOptions{Dates: "1..-4"})},
				},
				Retag: true, Keep: 0, Prune: RuleChanges{MinAge: new(time.Duration(0)), UnusedFor: new(12 * time.Hour), KeepMin: new(0)},
			},
			{
				Name: "node-lines", Repository: mustRepository(t, "registry.example.com/etl/node-jobs"),
				Track: Track{Select: mustSelect(t, selection.Options{
					Include: `^\d+\.\d+\.\d+$`, Exclude: `^0\.`, Range: ">=1.2 <2", Newest: 3, Downgrade: true,
				})},
				Watch: mustSchedule(t, "@every 1m"), Promote: Promote{Straggler: 15 * time.Minute}, Keep: 2, Prune: RuleChanges{KeepMin: new(2)},
			},
			{
				Name: "nightly", Repository: mustRepository(t, "registry.example.com/etl/node-jobs"),
				Track: Track{Select: mustSelect(t, selection.Options{Include: `^nightly-(\d+)$`, Extract: "$1", Order: "numeric"})},
				Watch: mustSchedule(t, "@every 1m"), Promote: standard, Keep: 2,
			},
			{
				Name: "frozen", Repository: mustRepository(t, "node"), Promote: standard, Keep: 2,
				Track: Track{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
			},
			{
				Name: "plain", Repository: mustRepository(t, "docker.io/library/node"), Track: Track{Tag: "latest"},
				Watch: mustSchedule(t, "@every 1m"), Promote: standard, Keep: 2, Run: fullRun(),
			},
		},
		Prune: Prune{
			Schedule: mustSchedule(t, "CRON_TZ=Europe/Berlin 30 22 * * mon-fri"),
			Windows:  schedule.Windows{mustWindow(t, schedule.WindowOptions{From: "22:00", To: "05:00", Zone: "Europe/Berlin"})},
			Policy: PrunePolicy{
				Rules:     PruneRules{MinAge: 48 * time.Hour, UnusedFor: 168 * time.Hour},
				Protect:   mustPatterns(t, "registry.example.com/base/*", "docker.io/library/debian:*", "docker.io/etl/tools@sha256:*"),
				Unmanaged: UnmanagedDangling, MaxRemovals: 100, DryRun: true,
			},
			Hosts: []PruneHosts{
				{
					Labels: map[string]string{"pool": "etl"}, Rules: RuleChanges{MinAge: new(time.Duration(0)), KeepMin: new(1)}, Protect: mustPatterns(t, "**/golden:*", "ops/agent"),
					Unmanaged: UnmanagedLRU, MaxRemovals: new(0), DryRun: new(false),
				},
				{Labels: map[string]string{"pool": "etl", "rack": "1.10"}, Rules: RuleChanges{UnusedFor: new(time.Duration(0))}},
			},
		},
		Runner: Runner{
			Grace: 30 * time.Second, Queue: 200, Unclaimed: UnclaimedKeep, Keep: 240 * time.Hour, MaxResult: 256 << 10,
			Logs: Logs{Cap: 100 * mib, Keep: 48 * time.Hour, Total: 20 * gib},
			Forward: []Forward{
				{To: ToStdout},
				{To: ToFile, Path: filepath.Join(folder, "runs.ndjson")},
				{To: ToSyslog, Address: "udp://logs:514"},
				{To: ToSyslog, Address: "unix:///dev/log"},
				{To: ToSyslog, Address: "tcp://[fd00::7]:601"},
			},
			SecretKeyFile: filepath.Join(folder, "secrets/secret.key"), SecretKey: "thirty-two bytes that seal it al",
			Policy: Policy{
				Privileged: true, HostNamespaces: true, BindMounts: []string{"/srv/data/**", "/srv/shared"}, Volumes: []string{"cache*", "etl_out"}, Networks: []string{"bridge", "none"},
				CapAdd: []string{"SYS_PTRACE", "ALL"}, Devices: []string{"/dev/dri", "intel.com/gpu=0"}, SecurityOpt: []string{"seccomp=unconfined", "no-new-privileges=false"},
				Sysctls: []string{"net.core.somaxconn", "kernel.shmmax"}, SecretFiles: []string{"/run/secrets"},
			},
		},
		Webhooks: fullWebhooks(t, folder),
		Notify:   fullNotify(folder),
	}
	if diff := cmp.Diff(want, mustLoad(t, "testdata/full.yaml"), comparers()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// fullRun is what testdata/full.yaml says of the runs of its last image.
func fullRun() Run {
	return Run{
		Env: []string{"NODE_ENV=production", "EMPTY="}, User: "1000:1000", Workdir: "/app", Network: "bridge",
		DNS: []string{"10.0.0.53", "fd00::35"}, ExtraHosts: []string{"db:10.0.0.5", "v6:fd00::5", "v6b:fd00::6", "self:host-gateway"},
		Mounts: []Mount{
			{Kind: BindMount, Source: "/srv/data/in", Target: "/data", ReadOnly: true},
			{Kind: VolumeMount, Source: "cache", Target: "/cache"},
			{Kind: BindMount, Source: "/srv/data", Target: "/all", ReadOnly: true},
			{Kind: VolumeMount, Source: "cache2", Target: "/cache2"},
			{Kind: VolumeMount, Target: "/anonymous"},
			{Kind: TmpfsMount, Target: "/scratch", Size: 64 * mib, Mode: 0o1770},
			{Kind: BindMount, Source: "/srv/data/a,b", Target: "/odd"},
		},
		Memory: 2 * gib, MemorySwap: 5 * gib / 2, NanoCPUs: 1_500_000_000, CPUShares: 512, PidsLimit: 4096, ShmSize: 256 * mib,
		Ulimits: []Ulimit{{"nofile", 1024, 2048}, {"core", 0, 0}, {"memlock", -1, -1}},
		Init:    true, ReadOnly: true, CapDrop: []string{"NET_RAW", "MKNOD"}, SecurityOpt: []string{"no-new-privileges", "seccomp=unconfined"},
		Labels:     map[string]string{"team": "etl", "com.example.stage": "1.10"},
		StopSignal: "SIGINT", StopGrace: time.Minute, Timeout: 2 * time.Hour, Concurrency: 1,
	}
}

func TestLoadWithoutAFileIsDefault(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Default(), mustLoad(t, ""), comparers()); diff != "" {
		t.Errorf("Load(\"\") differs from Default() (-want +got):\n%s", diff)
	}
	want := &Config{Server: Server{Listen: "127.0.0.1:8470", LinkLife: 168 * time.Hour, Limits: ServerLimits{Rate: 50, Followers: 500}}, State: State{Path: "/var/lib/prewarm", Keep: 2160 * time.Hour}, Prune: Prune{
		Schedule: mustSchedule(t, "17 3 * * *"), Policy: PrunePolicy{Rules: PruneRules{MinAge: 24 * time.Hour, KeepMin: 1}, Unmanaged: UnmanagedKeep},
	}, Runner: Runner{
		Grace: 10 * time.Second, Queue: 1000, Unclaimed: UnclaimedStop, Keep: 720 * time.Hour, MaxResult: 1 << 20,
		Logs: Logs{Cap: 1 << 30, Keep: 720 * time.Hour, Total: 10 << 30},
	}}
	if diff := cmp.Diff(want, Default(), comparers()); diff != "" {
		t.Errorf("Default() (-want +got):\n%s", diff)
	}
}

func TestLoadAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the shortest":          "hosts: [{name: local, endpoint: unix:///var/run/docker.sock}]\nimages: [{name: node, repository: node}]",
		"JSON":                  `{"server": {"listen": "127.0.0.1:8470"}}`,
		"a byte order mark":     "\ufeffstate: {path: a}",
		"a start marker":        "---\nstate: {path: a}\n",
		"a key left empty":      "server:\nhosts:\nimages: ~\n",
		"a port of the system":  "server: {listen: 127.0.0.1:0}",
		"everywhere, insecure":  "server: {listen: ':8470', insecure: true}",
		"a name, insecure":      "server: {listen: 'prewarm.example.com:8470', insecure: true}",
		"IPv6 loopback":         "server: {listen: '[::1]:8470'}",
		"localhost":             "server: {listen: localhost:8470}",
		"a quoted number":       "hosts: [{name: a, endpoint: unix:///a, limits: {pulls: '3'}}]",
		"a spelt-out true":      "hosts: [{name: a, endpoint: 'tcp://a:1', insecure: True}]",
		"two tags of one image": "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node}, {name: b, repository: node, track: {tag: '22'}}]",
		"retagged by two tags":  "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, retag: true}, {name: b, repository: node, track: {tag: '22'}, retag: true}]",
		"retagged apart": "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, retag: true}, " +
			"{name: b, repository: node, track: {select: {include: '^22'}}, retag: true}, {name: c, repository: deno, track: {select: {}}, retag: true}]",
		"overlapping selections": "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, track: {select: {}}}, {name: b, repository: node, track: {select: {newest: 2}}}, {name: c, repository: node, track: {tag: 22.1.0}}]",
		"no waiting":             "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, cooldown: 0, promote: {straggler: 0s, when: 100%}, windows: []}]",
		"an empty selector":      "hosts: [{name: a, endpoint: unix:///a}]\nimages: [{name: a, repository: node, hosts: {}}]",
		"no pruning":             "prune: {schedule: off, windows: [{from: '20:00', to: '21:00'}], unused_for: 0, min_age: 0s, protect: []}",
		"pruning at night":       "prune: {windows: [{from: '03:00', to: '04:00'}]}",
		"pruning on leap days":   "prune: {schedule: 0 12 29 2 *, windows: [{days: tue, from: '11:00', to: '13:00'}]}",
		"pruning all the time":   "prune: {schedule: '@every 24h', windows: [{days: sat}]}",
		"a host without a disk":  "hosts: [{name: a, endpoint: 'tcp://a:1', insecure: true, disk: {}}]",
		"a budget of a socket":   "hosts: [{name: a, endpoint: unix:///a, disk: {high: 50g, low: 50g, budget: 50g}}]",
		"a plain string tag":     "state: {path: !!str 123}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustLoad(t, write(t, text))
		})
	}
}

func TestLoadFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	big := write(t, "# "+strings.Repeat("x", maxFile))
	for path, want := range map[string]string{
		"testdata/none.yaml": "testdata/none.yaml: it does not exist; name a configuration file",
		"testdata":           "testdata: it is a folder, not a file; name a configuration file",
		"a\x00b":             "it can't be read: invalid argument",
		big:                  "it is larger than 4096 KiB",
	} {
		if got := refused(t, path, nil).Error(); !strings.Contains(got, want) {
			t.Errorf("Load(%q): %q does not say %q", path, got, want)
		}
	}
}

func TestImageSelects(t *testing.T) {
	t.Parallel()
	host := Host{Labels: map[string]string{"pool": "etl", "zone": "a", "empty": ""}}
	for _, c := range []struct {
		selector map[string]string
		want     bool
	}{
		{nil, true},
		{map[string]string{"pool": "etl"}, true},
		{map[string]string{"pool": "etl", "zone": "a"}, true},
		{map[string]string{"pool": "etl", "zone": "b"}, false},
		{map[string]string{"rack": ""}, false},
		{map[string]string{"pool": "ETL"}, false},
	} {
		if got := (Image{Hosts: c.selector}).Selects(host); got != c.want {
			t.Errorf("selector %v: %v, want %v", c.selector, got, c.want)
		}
	}
}
