package runner

import "time"

// Setup is what a reload may change.
type Setup struct {
	Hosts  []HostOptions
	Images map[string]ImageOptions // by image
	Policy Policy
	// Grace is how long a container has between the stop signal and the kill;
	// 10 s when zero, as docker stop.
	Grace time.Duration
	// MaxQueued bounds the runs that wait; 1000 when zero.
	MaxQueued int
	// Unclaimed says what is done about containers of ours that no run claims.
	Unclaimed Unclaimed
	// KeepRuns is how long ended runs are remembered; 30 days when zero.
	KeepRuns time.Duration
	Logs     LogRules
	// MaxResult bounds a result file in bytes; 1 MiB when zero.
	MaxResult int64
}

// HostOptions is one host that runs can be placed on.
type HostOptions struct {
	Name   string
	Engine Engine
	// Slots is how many runs the host may have at once.
	Slots  int
	Labels map[string]string
	// Env is on top of the image's in every container there, under the run's own.
	Env []string
	// Binds are folders that this host has and others may lack: a run that
	// mounts something below one of them goes to a host that declares it.
	Binds []string
}

// ImageOptions are the defaults of an image's runs.
type ImageOptions struct {
	Spec  Spec          // what a submit leaves out
	Limit time.Duration // as Terms.Limit; 0: none
	// Concurrent is how many runs of the image may be under way; 0: any number.
	Concurrent int
}

// LogRules bound the spool.
type LogRules struct {
	Cap   int64         // of one run, in bytes; 1 GiB when zero
	Keep  time.Duration // after a run's end; 30 days when zero
	Total int64         // of all ended runs, in bytes; 0: no bound
}

// Unclaimed is what is done about containers of ours that no run claims.
type Unclaimed string

// The ways.
const (
	UnclaimedStop Unclaimed = "stop" // and removed; the default
	UnclaimedKeep Unclaimed = "keep" // only reported
)

// HostUse is what runs take of a host.
type HostUse struct {
	InUse, Slots int
	Memory       int64 // bytes that runs under way asked for
	NanoCPUs     int64
	// Unclaimed are the ids of containers of ours that no run claims.
	Unclaimed []string
}

// Policy decides what a submit may ask for. The zero Policy allows no
// privileges, no namespaces of the host, no binds, no devices but by request
// (GPUs), no capabilities, no files of the server.
type Policy struct {
	Privileged bool
	// HostNamespaces allows the host's network, pid and ipc, and those of other
	// containers.
	HostNamespaces bool
	BindMounts     []string // folders of the hosts; one that ends in /** with all below it
	Volumes        []string // names, or their beginnings and *; empty: any but ours
	Networks       []string // names; empty: any but the host's and containers'
	CapAdd         []string // ALL allows every one
	Devices        []string // paths of the hosts, and names of CDI
	SecurityOpt    []string // beside no-new-privileges
	Sysctls        []string // names
	SecretFiles    []string // folders of the server below which secret_env may read
}
