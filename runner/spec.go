package runner

import (
	"slices"
	"strings"
	"time"
)

// Spec is what a caller wants executed: docker run, but for what belongs to the
// server. The zero value of a field leaves it to the image or the engine.
type Spec struct {
	Image      string   // as the caller named it: node-jobs, repo:tag, repo@digest
	Command    []string // replaces the image's command when not empty
	Entrypoint []string // replaces the image's entrypoint when not empty
	Env        []string // K=V, on top of the image's
	// SecretEnv names variables whose values stand nowhere in a run: in files on
	// the server, or sealed in the store until the container exists.
	SecretEnv []SecretEnv `json:",omitempty" word:"secret_env"`
	User      string
	Groups    []string `json:",omitempty"` // beside the user's own
	Workdir   string
	Hostname  string `json:",omitempty"`
	TTY       bool   `json:",omitempty"` // a terminal: both streams are one
	Init      bool   `json:",omitempty"` // the engine's own init reaps and forwards signals

	Network    string   // bridge, none or a network's name; empty: the engine's default
	Aliases    []string `json:",omitempty" word:"network_aliases"` // names in that network
	DNS        []string `json:",omitempty"`
	DNSSearch  []string `json:",omitempty" word:"dns_search"`
	DNSOptions []string `json:",omitempty" word:"dns_options"`
	ExtraHosts []string `json:",omitempty" word:"extra_hosts"` // name:ip
	Ports      []Port   `json:",omitempty"`
	IPC        string   `json:",omitempty"` // none, private, shareable, host
	PID        string   `json:",omitempty"` // host

	Mounts  []Mount  `json:",omitempty"`
	Scratch *Scratch `json:",omitempty"`
	// ScopeVolume is where the volume of the run's pin scope is mounted; empty:
	// nowhere.
	ScopeVolume string `json:",omitempty" word:"scope_volume"`
	// Result is the file in the container that is returned with the run; empty:
	// none.
	Result string `json:",omitempty"`

	Memory            int64  // bytes; 0: no limit
	MemorySwap        int64  `json:",omitempty" word:"memory_swap"`        // bytes of memory and swap together; -1: unlimited
	MemoryReservation int64  `json:",omitempty" word:"memory_reservation"` // bytes
	NanoCPUs          int64  `word:"cpus"`                                 // billionths of a CPU; 0: no limit
	CPUShares         int64  `json:",omitempty" word:"cpu_shares"`         // a weight, 1024 when nothing is said
	CPUSet            string `json:",omitempty"`                           // 0-3,7
	PidsLimit         int64  `json:",omitempty" word:"pids_limit"`
	ShmSize           int64  `json:",omitempty" word:"shm_size"` // bytes

	Ulimits        []Ulimit          `json:",omitempty"`
	Devices        []Device          `json:",omitempty"`
	DeviceRequests []DeviceRequest   `json:",omitempty" word:"device_requests"` // GPUs
	CapAdd         []string          `json:",omitempty" word:"cap_add"`
	CapDrop        []string          `json:",omitempty" word:"cap_drop"`
	SecurityOpt    []string          `json:",omitempty" word:"security_opt"`
	Sysctls        map[string]string `json:",omitempty"`
	Privileged     bool              `json:",omitempty"`
	ReadOnly       bool              `json:",omitempty" word:"read_only"` // the root file system

	Labels     map[string]string `json:",omitempty"` // of the container; ours win
	StopSignal string            `json:",omitempty" word:"stop_signal"`
	// StopGrace is the time between the stop signal and the kill; 0: the
	// server's.
	StopGrace time.Duration `json:",omitempty" word:"stop_grace"`
	// Platform refuses hosts of another one; empty: the host's own.
	Platform string `json:",omitempty"`
	// LogCap bounds the run's log in bytes; 0: the server's bound.
	LogCap int64 `json:",omitempty" word:"log_cap"`
}

// SecretEnv is a variable with a secret value.
type SecretEnv struct {
	Name string
	File string // on the server; empty: the submit brought the value
}

// Kind is what is mounted.
type Kind string

// The kinds of mounts.
const (
	Bind   Kind = "bind"
	Volume Kind = "volume"
	Tmpfs  Kind = "tmpfs"
)

// Mount is a file system in the container.
type Mount struct {
	Kind     Kind
	Source   string // a path of the host, or a volume's name; empty for tmpfs and an anonymous volume
	Target   string
	ReadOnly bool   `json:",omitempty"`
	Size     int64  `json:",omitempty"` // of a tmpfs, in bytes; 0: half of the memory
	Mode     uint32 `json:",omitempty"` // of a tmpfs; 0: 1777
}

// Scratch is space for temporary files that is made on the run's host and
// removed with the container.
type Scratch struct {
	Kind   Kind   // Volume or Tmpfs
	Target string // also in the variable TMPDIR
	Size   int64  `json:",omitempty"` // of a tmpfs, in bytes
}

// Port is one that is published on the host.
type Port struct {
	Container int
	Protocol  string // tcp, udp, sctp
	HostIP    string `json:",omitempty"`
	Host      int    `json:",omitempty"` // 0: any that is free
}

// Ulimit is a limit of the process.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Device is one of the host's that the container may use.
type Device struct {
	Host, Container string
	Permissions     string // rwm
}

// DeviceRequest asks a driver for devices: GPUs.
type DeviceRequest struct {
	Driver       string
	Count        int // -1: all
	IDs          []string
	Capabilities [][]string
	Options      map[string]string
}

// airflowContext begins the names of variables that differ from try to try of
// the same piece of work.
const airflowContext = "AIRFLOW_CTX_"

// work is the part of a spec that decides whether two submits mean the same
// piece of work. Labels, how it is stopped, how much of its log is kept, and what
// an Airflow try is called, don't.
func (s Spec) work() Spec {
	s.Labels, s.StopSignal, s.StopGrace, s.LogCap = nil, "", 0, 0
	s.Env = slices.DeleteFunc(slices.Clone(s.Env), func(e string) bool { return strings.HasPrefix(e, airflowContext) })
	slices.Sort(s.Env)
	return s
}
