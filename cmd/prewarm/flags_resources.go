package main

import (
	"fmt"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// resourceFlags are what the container may use up.
type resourceFlags struct {
	memory, swap, reservation, shm string
	cpus                           float64
	shares, pids                   int64
	cpuset                         string
	ulimits, devices, gpus         []string
}

func (f *resourceFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.memory, "memory", "m", "", "memory `limit`, such as 512m or 1g")
	flags.StringVar(&f.swap, "memory-swap", "", "`limit` of memory and swap together; -1: unlimited swap")
	flags.StringVar(&f.reservation, "memory-reservation", "", "`memory` that the container keeps when the host runs short")
	flags.Float64Var(&f.cpus, "cpus", 0, "`limit` of CPUs, such as 1.5")
	flags.Int64VarP(&f.shares, "cpu-shares", "c", 0, "`weight` against other containers; 1024 is usual")
	flags.StringVar(&f.cpuset, "cpuset-cpus", "", "`CPUs` that may be used, such as 0-3 or 0,2")
	flags.Int64Var(&f.pids, "pids-limit", 0, "`number` of processes and threads that may exist; none when 0")
	flags.StringVar(&f.shm, "shm-size", "", "`size` of /dev/shm, such as 256m")
	flags.StringArrayVar(&f.ulimits, "ulimit", nil, "`limit` of a process as name=soft[:hard], such as nofile=1024:4096; may be repeated")
	flags.StringArrayVar(&f.devices, "device", nil, "`device` of the host, as /dev/host[:/dev/container][:rwm]; may be repeated")
	flags.StringArrayVar(&f.gpus, "gpus", nil, "`GPUs`: all, a number, or device=0,1 in double quotes; may be repeated")
}

func (f *resourceFlags) apply(r *api.SubmitRun) (err error) {
	if err := f.sizes(r); err != nil {
		return err
	}
	switch {
	case !(f.cpus >= 0): // NaN, too, which JSON can't carry
		return fmt.Errorf("--cpus %v: write it as 1.5", f.cpus)
	case f.shares < 0:
		return fmt.Errorf("--cpu-shares %d: it can't be negative", f.shares)
	case f.pids < 0:
		return fmt.Errorf("--pids-limit %d: it can't be negative; leave it out for none", f.pids)
	}
	r.CPUs, r.CPUShares, r.CPUSet, r.PidsLimit = f.cpus, f.shares, f.cpuset, f.pids
	for _, word := range f.ulimits {
		limit, err := units.ParseUlimit(word)
		if err != nil {
			return fmt.Errorf("--ulimit %q: %w: write it as nofile=1024:4096", word, err)
		}
		r.Ulimits = append(r.Ulimits, api.Ulimit{Name: limit.Name, Soft: limit.Soft, Hard: limit.Hard})
	}
	for _, word := range f.devices {
		device, err := readDevice(word)
		if err != nil {
			return err
		}
		r.Devices = append(r.Devices, device)
	}
	for _, word := range f.gpus {
		request, err := readGPUs(word)
		if err != nil {
			return err
		}
		r.DeviceRequests = append(r.DeviceRequests, request)
	}
	return nil
}

func (f *resourceFlags) sizes(r *api.SubmitRun) (err error) {
	if r.Memory, err = readSize("memory", f.memory); err != nil {
		return err
	}
	if r.MemoryReservation, err = readSize("memory-reservation", f.reservation); err != nil {
		return err
	}
	if r.ShmSize, err = readSize("shm-size", f.shm); err != nil {
		return err
	}
	if f.swap == "-1" {
		r.MemorySwap = -1
		return nil
	}
	r.MemorySwap, err = readSize("memory-swap", f.swap)
	return err
}

// readDevice reads one of --device. Of two parts the second one is a path in the
// container, or permissions.
func readDevice(word string) (api.Device, error) {
	parts := strings.Split(word, ":")
	d := api.Device{Host: parts[0]}
	ok := len(parts) <= 3
	for _, part := range parts[1:] {
		switch {
		case d.Permissions == "" && part != "" && strings.Trim(part, "rwm") == "":
			d.Permissions = part
		case d.Container == "" && d.Permissions == "" && strings.HasPrefix(part, "/"):
			d.Container = part
		default:
			ok = false
		}
	}
	if !ok || !strings.HasPrefix(d.Host, "/") {
		return d, fmt.Errorf("--device %q: write it as /dev/fuse, /dev/host:/dev/container or /dev/fuse:rw", word)
	}
	return d, nil
}
