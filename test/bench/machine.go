package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine says where the figures come from.
func (r *rig) machine(ctx context.Context) (string, error) {
	engine, err := newEngine(r.fleet.Hosts[0]).version(ctx)
	if err != nil {
		return "", err
	}
	client, err := exec.CommandContext(ctx, r.docker, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the version of %s: %w", r.docker, err)
	}
	var system syscall.Sysinfo_t
	if err := syscall.Sysinfo(&system); err != nil {
		return "", fmt.Errorf("ask for the machine's memory: %w", err)
	}
	kernel, err := kernel()
	if err != nil {
		return "", err
	}
	memory := uint64(system.Totalram) * uint64(system.Unit) >> 30
	return fmt.Sprintf("%s. %d cores (%s), %d GiB, load %.1f before; Linux %s; Engine %s; docker command line %s; %s.",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), processor(), memory, load(system), kernel, engine,
		strings.TrimPrefix(strings.TrimSpace(string(client)), "Docker version "), runtime.Version()), nil
}

// processor is what the kernel calls it, or only its architecture.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", fmt.Errorf("ask for the kernel: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// load is how busy the machine was in the last minute, before anything was
// measured: figures from a busy machine are worth little.
func load(s syscall.Sysinfo_t) float64 {
	const fixedPoint = 1 << 16
	return float64(s.Loads[0]) / fixedPoint
}
