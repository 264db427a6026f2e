package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// atRest warms all images and then watches the server while it watches them.
func (f *footprint) atRest(ctx context.Context, t *table) (err error) {
	s, _, err := f.server(ctx, f.known)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	begin := time.Now()
	if err := f.awaitWarm(ctx, s); err != nil {
		return err
	}
	fmt.Fprintf(f.log, "  all warm after %s\n", time.Since(begin).Round(time.Second))
	engine, err := f.fleet.Hosts[0].PIDs()
	if err != nil {
		return err
	}
	u, err := f.watchRest(ctx, s, engine)
	if err != nil {
		return err
	}
	u.add(t, "at rest")
	t.add("memory (RSS) of one host's engine, dockerd and containerd, in the same time", "", megabytes(middle(u.engine)), megabytes(slices.Max(u.engine)), "none")
	return nil
}

// atRestFull is atRest with a state that is full of runs.
func (f *footprint) atRestFull(ctx context.Context, t *table) (err error) {
	s, _, err := f.server(ctx, f.old)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	u, err := f.watchRest(ctx, s, nil)
	if err != nil {
		return err
	}
	u.add(t, fmt.Sprintf("after a start with %d ended runs", f.endedRuns))
	return nil
}

// use is what a process took while it was watched, second by second.
type use struct {
	resident, own, engine []int64 // bytes
	cpu                   time.Duration
	watched               time.Duration
	goroutines            int
}

func (u use) add(t *table, of string) {
	of += ", for " + u.watched.Round(time.Second).String()
	t.add("memory (RSS)", of, megabytes(middle(u.resident)), megabytes(slices.Max(u.resident)),
		verdict("< 60 MB", middle(u.resident) < idleAim))
	t.add("of which its own, not mapped from the program's file", of, megabytes(middle(u.own)), megabytes(slices.Max(u.own)), "none")
	t.add("CPU time a minute", of, fmt.Sprintf("%.2f s", u.cpu.Seconds()/u.watched.Minutes()), "", "none")
	t.add("goroutines", of, fmt.Sprint(u.goroutines), "", "none")
}

func middle(values []int64) int64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// watchRest looks at a server each second, and at the processes of an engine,
// once it had the time to give back what it took for more than looks: connections
// that nobody uses are kept for 90 s.
func (f *footprint) watchRest(ctx context.Context, s *prewarmtest.Server, engine []int) (u use, err error) {
	if err := pause(ctx, f.settle); err != nil {
		return u, err
	}
	begin := time.Now()
	before, err := cpuTime(s.PID())
	if err != nil {
		return u, err
	}
	for time.Since(begin) < f.idle {
		if err := pause(ctx, min(time.Second, f.idle)); err != nil {
			return u, err
		}
		resident, own, err := memoryOf(s.PID())
		if err != nil {
			return u, err
		}
		var sum int64
		for _, pid := range engine {
			r, _, err := memoryOf(pid)
			if err != nil {
				return u, err
			}
			sum += r
		}
		u.resident, u.own, u.engine = append(u.resident, resident), append(u.own, own), append(u.engine, sum)
	}
	after, err := cpuTime(s.PID())
	if err != nil {
		return u, err
	}
	u.cpu, u.watched = after-before, time.Since(begin)
	u.goroutines, err = goroutines(ctx, s.URL)
	return u, err
}

// warmTime is how long all images may take until they are warm on all hosts.
const warmTime = 10 * time.Minute

// awaitWarm waits until each image is current, which it is once all hosts have it.
func (f *footprint) awaitWarm(ctx context.Context, s *prewarmtest.Server) error {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	client := &api.Client{URL: s.URL}
	for {
		all, err := client.Images(ctx)
		if err != nil {
			return err
		}
		warm := 0
		for _, i := range all.Images {
			if i.Tracks[0].Current != nil {
				warm++
			}
		}
		if warm == f.images {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("wait until all images are warm, with %d of %d: %w", warm, f.images, err)
		}
	}
}

// memoryOf is what a process has in memory, and what of it is its own: not the
// pages of a file, which the kernel can drop and read again.
func memoryOf(pid int) (resident, own int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("ask for memory: %w", err)
	}
	if resident, err = statusKiB(string(text), "VmRSS:"); err != nil {
		return 0, 0, err
	}
	own, err = statusKiB(string(text), "RssAnon:")
	return resident, own, err
}

// statusKiB reads a size of /proc/PID/status, and gives bytes.
func statusKiB(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != name || f[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("ask for memory: %w", err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("ask for memory: the process has no %s", name)
}

// tick is the unit of times in /proc, which is the same on every Linux.
const tick = time.Second / 100

// cpuTime is what a process has used of all cores.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("ask for CPU time: %w", err)
	}
	return parseCPUTime(string(text))
}

// parseCPUTime adds the times in user and in kernel mode, the fields 14 and 15.
// The second field is a name that may have blanks and parentheses in it.
func parseCPUTime(stat string) (time.Duration, error) {
	const user, system = 11, 12 // behind the name
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) <= system {
		return 0, fmt.Errorf("ask for CPU time: %q has too few fields", stat)
	}
	var sum time.Duration
	for _, field := range []string{f[user], f[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("ask for CPU time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// goroutines reads their number from the metrics.
func goroutines(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	const metric = "go_goroutines "
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, metric) {
			return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, metric)))
		}
	}
	return 0, fmt.Errorf("read the metrics: %s has no %s", resp.Status, metric)
}
