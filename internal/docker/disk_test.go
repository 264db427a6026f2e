package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/system"

	"github.com/prewarm/prewarm/warmer"
)

func TestClockOffset(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for told, want := range map[string]time.Duration{
		"2026-11-22T10:00:05.000000000Z":      4 * time.Second,
		"2026-11-22T09:59:00.5Z":              -60*time.Second - 500*time.Millisecond,
		"2026-11-22T11:00:01.000000000+01:00": 0,
		"":                                    0,
		"noon":                                0,
	} {
		if got := clockOffset(told, asked, asked.Add(2*time.Second)); got != want {
			t.Errorf("clockOffset(%q) = %s, want %s", told, got, want)
		}
	}
}

func TestImageRoot(t *testing.T) {
	t.Parallel()
	store := func(address string) system.Info {
		i := system.Info{DockerRootDir: "/data/docker", DriverStatus: [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}}
		if address != "" {
			i.Containerd = &system.ContainerdInfo{Address: address}
		}
		return i
	}
	for name, c := range map[string]struct {
		info system.Info
		want string
	}{
		"classic":                        {system.Info{DockerRootDir: "/data/docker"}, "/data/docker"},
		"not told":                       {system.Info{}, ""},
		"containerd of the machine":      {store("/run/containerd/containerd.sock"), "/var/lib/containerd"},
		"the same by another path":       {store("/var/run/containerd/containerd.sock"), "/var/lib/containerd"},
		"containerd of the engine's own": {store("/var/run/docker/containerd/containerd.sock"), "/data/docker"},
		"containerd of an old API":       {store(""), ""},
	} {
		if got := imageRoot(c.info); got != c.want {
			t.Errorf("%s: imageRoot = %q, want %q", name, got, c.want)
		}
	}
}

func TestDiskOfThisMachineOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	info := system.Info{DockerRootDir: dir}
	e := newEngine(t)
	if got := e.host().disk(t.Context(), info, dir); got.Total <= 0 || got.Free > got.Total {
		t.Errorf("disk %+v, want that of this machine", got)
	}
	if got := e.host().disk(t.Context(), info, dir+"/none"); got != (warmer.Disk{}) {
		t.Errorf("disk %+v of an engine whose marker is not here, want none", got)
	}
	away := e.host(func(o *Options) { o.Endpoint, o.Insecure = "tcp://127.0.0.1:1", true })
	if got := away.disk(t.Context(), info, dir); got != (warmer.Disk{}) {
		t.Errorf("disk %+v of an engine on a port, want none", got)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	if got, err := parseStat("10 20 4096\n"); err != nil || got != (warmer.Disk{Free: 40960, Total: 81920}) {
		t.Errorf("parseStat = %+v, %v", got, err)
	}
	for _, said := range []string{"", "10 20", "1 2 x", "Welcome to this machine"} {
		if got, err := parseStat(said); err == nil || got != (warmer.Disk{}) {
			t.Errorf("parseStat(%q) = %+v, %v; want an error", said, got, err)
		}
	}
}
