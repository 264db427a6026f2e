package api

import (
	"encoding/json"
	"time"
)

// IdempotencyKey is the header that makes a submit repeatable: the same word
// always answers the same run.
const IdempotencyKey = "Idempotency-Key"

// SubmitRun is the body of POST /v1/runs.
type SubmitRun struct {
	Image      string      `json:"image" minLength:"1" maxLength:"512" doc:"A configured image, image:tag, repo:tag that an image tracks, or repo@digest that is current, kept, or held by the pin scope." example:"node-jobs"`
	Command    []string    `json:"command,omitempty" doc:"Replaces the image's command." example:"[\"node\",\"dist/import.js\",\"--day\",\"2026-11-22\"]"`
	Entrypoint []string    `json:"entrypoint,omitempty" doc:"Replaces the image's entrypoint."`
	Env        []string    `json:"env,omitempty" doc:"NAME=value, on top of the image's." example:"[\"NODE_ENV=production\"]"`
	SecretEnv  []SecretEnv `json:"secret_env,omitempty" doc:"Variables whose values are kept out of everything but the container."`
	Unmasked   bool        `json:"unmasked,omitempty" doc:"Leave the values of secret_env readable in the log. They are *** otherwise, if they have 6 bytes or more."`

	// What the container is.
	User       string            `json:"user,omitempty" doc:"Name or uid, with :group or :gid."`
	Groups     []string          `json:"groups,omitempty" doc:"More groups, by name or gid."`
	Workdir    string            `json:"workdir,omitempty" doc:"An absolute path in the container."`
	Hostname   string            `json:"hostname,omitempty"`
	TTY        bool              `json:"tty,omitempty" doc:"Give the program a terminal: both streams are one."`
	Init       bool              `json:"init,omitempty" doc:"The engine's own init is process 1."`
	Labels     map[string]string `json:"labels,omitempty" doc:"Of the container; those that begin with prewarm. are the server's."`
	StopSignal string            `json:"stop_signal,omitempty" example:"SIGINT"`
	StopGrace  Duration          `json:"stop_grace,omitempty" doc:"Time between the stop signal and the kill. Left out: the server's."`
	Platform   string            `json:"platform,omitempty" doc:"Refuse hosts of another one." example:"linux/amd64"`

	// Network.
	Network    string   `json:"network,omitempty" doc:"bridge, none, or the name of a network on the hosts. Empty: the engine's default."`
	Aliases    []string `json:"network_aliases,omitempty" doc:"Names of the container in that network."`
	DNS        []string `json:"dns,omitempty"`
	DNSSearch  []string `json:"dns_search,omitempty"`
	DNSOptions []string `json:"dns_options,omitempty"`
	ExtraHosts []string `json:"extra_hosts,omitempty" doc:"name:ip" example:"[\"db:10.0.0.5\"]"`
	Ports      []Port   `json:"ports,omitempty" doc:"Ports that are published on the host."`
	IPC        string   `json:"ipc,omitempty" doc:"none, private, shareable or host."`
	PID        string   `json:"pid,omitempty" doc:"host, where the policy allows it."`

	// Files.
	Mounts      []Mount  `json:"mounts,omitempty"`
	Scratch     *Scratch `json:"scratch,omitempty" doc:"Space for temporary files, made on the run's host and removed with the container."`
	ScopeVolume string   `json:"scope_volume,omitempty" doc:"Where the volume of the pin scope is mounted: files for the next task of the scope. All runs that mount it are placed on one host."`
	KeepVolume  bool     `json:"keep_volume_on_failure,omitempty" doc:"Keep the scope's volume at the scope's end if this run failed."`
	ReadOnly    bool     `json:"read_only,omitempty" doc:"The container's root file system can't be written."`
	Result      string   `json:"result,omitempty" doc:"A JSON file in the container that is returned with the run." example:"/airflow/xcom/return.json"`

	// Resources.
	Memory            int64           `json:"memory,omitempty" minimum:"0" doc:"Limit in bytes; 0: none. Engines refuse less than 6 MiB. It counts against the host's memory." example:"2147483648"`
	MemorySwap        int64           `json:"memory_swap,omitempty" minimum:"-1" doc:"Limit of memory and swap together in bytes; -1: unlimited swap."`
	MemoryReservation int64           `json:"memory_reservation,omitempty" minimum:"0" doc:"Bytes."`
	CPUs              float64         `json:"cpus,omitempty" minimum:"0" maximum:"1024" doc:"Limit in CPUs; 0: none. It counts against the host's CPUs." example:"1.5"`
	CPUShares         int64           `json:"cpu_shares,omitempty" minimum:"0" doc:"A weight; 1024 is usual."`
	CPUSet            string          `json:"cpuset,omitempty" doc:"CPUs that may be used." example:"0-3"`
	PidsLimit         int64           `json:"pids_limit,omitempty" minimum:"0"`
	ShmSize           int64           `json:"shm_size,omitempty" minimum:"0" doc:"Of /dev/shm, in bytes."`
	Ulimits           []Ulimit        `json:"ulimits,omitempty"`
	Devices           []Device        `json:"devices,omitempty"`
	DeviceRequests    []DeviceRequest `json:"device_requests,omitempty" doc:"GPUs and the like, as docker run --gpus."`

	// Privileges.
	CapAdd      []string          `json:"cap_add,omitempty"`
	CapDrop     []string          `json:"cap_drop,omitempty"`
	SecurityOpt []string          `json:"security_opt,omitempty"`
	Sysctls     map[string]string `json:"sysctls,omitempty"`
	Privileged  bool              `json:"privileged,omitempty"`

	// Terms.
	Key              string            `json:"key,omitempty" maxLength:"1024" doc:"The caller's name for this piece of work: one container for it at a time." example:"etl/2026-11-22/import/-1"`
	Epoch            int64             `json:"epoch,omitempty" minimum:"0" doc:"Raised to ask for the key's work anew."`
	Join             string            `json:"join,omitempty" enum:"active,success" default:"active" doc:"Which earlier run of the key answers this submit: an active one, or also one that succeeded."`
	OnConflict       string            `json:"on_conflict,omitempty" enum:"refuse,join,replace" default:"refuse" doc:"What to do when the key's active run is a different piece of work."`
	PinScope         string            `json:"pin_scope,omitempty" maxLength:"512" doc:"A name within which each image keeps the digest that it first resolved to." example:"etl/2026-11-22"`
	Fresh            bool              `json:"fresh,omitempty" doc:"Run what the tag shows at the registry now, promoted or not. In a live pin scope the scope wins."`
	WaitWarm         Duration          `json:"wait_warm,omitempty" doc:"How long the run may wait for its digest to be warm. Left out: it is refused at once when it is not."`
	Deadline         Duration          `json:"deadline,omitempty" doc:"How long the run may take from now on, queueing and warming included."`
	Keepalive        Duration          `json:"keepalive,omitempty" doc:"How long the caller may be silent. Each follow, wait, get or join renews it."`
	KeepaliveAction  string            `json:"keepalive_action,omitempty" enum:"report,stop" default:"report"`
	Priority         int               `json:"priority,omitempty" doc:"Higher ones are placed first."`
	Hosts            []string          `json:"hosts,omitempty" doc:"Only these hosts."`
	HostLabels       map[string]string `json:"host_labels,omitempty" doc:"Only hosts with all of these labels."`
	ConcurrencyGroup string            `json:"concurrency_group,omitempty" maxLength:"256"`
	ConcurrencyLimit int               `json:"concurrency_limit,omitempty" minimum:"0" doc:"How many runs of the group may be under way at a time; 1 when only the group is given."`
	Meta             map[string]string `json:"meta,omitempty" doc:"What people should know of the run: customer, process, owner, link."`
	Try              int               `json:"try,omitempty" minimum:"1" doc:"The number of this try at the caller's task: while there are tries left, a failure is told as one that is tried again."`
	Tries            int               `json:"tries,omitempty" minimum:"1" doc:"How many tries the task has; the try is one of them."`
	SkipExitCodes    []int             `json:"skip_exit_codes,omitempty" maxItems:"255" doc:"Exit codes with which the program says that there was nothing to do: people are told of a skip, not of a failure." example:"[99]"`
	LogCap           int64             `json:"log_cap,omitempty" minimum:"0" doc:"Bound of the run's log in bytes, below the server's."`
}

// SecretEnv is a variable with a secret value: exactly one of value and file.
type SecretEnv struct {
	Name  string `json:"name" minLength:"1"`
	Value string `json:"value,omitempty" doc:"Kept sealed until the container exists."`
	File  string `json:"file,omitempty" doc:"A file on the server, where the policy allows it."`
}

// String tells the name alone, so that no log shows the value.
func (s SecretEnv) String() string { return s.Name + "=***" }

// GoString is the same for %#v.
func (s SecretEnv) GoString() string { return s.String() }

// Port is one that is published on the host.
type Port struct {
	Container int    `json:"container" minimum:"1" maximum:"65535"`
	Protocol  string `json:"protocol,omitempty" enum:"tcp,udp,sctp" default:"tcp"`
	HostIP    string `json:"host_ip,omitempty"`
	Host      int    `json:"host,omitempty" minimum:"0" maximum:"65535" doc:"0: any that is free."`
}

// Mount is a file system in the container.
type Mount struct {
	Type     string `json:"type" enum:"bind,volume,tmpfs"`
	Source   string `json:"source,omitempty" doc:"A path of the host, or a volume's name; a volume without one is removed with the container."`
	Target   string `json:"target" minLength:"1"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Size     int64  `json:"size,omitempty" minimum:"0" doc:"Of a tmpfs, in bytes."`
	Mode     uint32 `json:"mode,omitempty" doc:"Of a tmpfs: permission bits."`
}

// Scratch is space for temporary files.
type Scratch struct {
	Type   string `json:"type" enum:"volume,tmpfs"`
	Target string `json:"target,omitempty" doc:"Where it is mounted, and what TMPDIR says." default:"/scratch"`
	Size   int64  `json:"size,omitempty" minimum:"0" doc:"Of a tmpfs, in bytes."`
}

// Ulimit is a limit of the process.
type Ulimit struct {
	Name string `json:"name" minLength:"1" example:"nofile"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Device is one of the host's that the container may use.
type Device struct {
	Host        string `json:"host" minLength:"1"`
	Container   string `json:"container,omitempty" doc:"Left out: as on the host."`
	Permissions string `json:"permissions,omitempty" default:"rwm"`
}

// DeviceRequest asks a driver for devices.
type DeviceRequest struct {
	Driver       string            `json:"driver,omitempty" example:"nvidia"`
	Count        int               `json:"count,omitempty" minimum:"-1" doc:"-1: all."`
	IDs          []string          `json:"device_ids,omitempty"`
	Capabilities [][]string        `json:"capabilities,omitempty" example:"[[\"gpu\"]]"`
	Options      map[string]string `json:"options,omitempty"`
}

// Run is one execution of a task.
type Run struct {
	ID        string            `json:"id"`
	State     string            `json:"state" enum:"queued,placed,starting,running,canceling,succeeded,failed,canceled,timed_out,interrupted,lost,refused"`
	Ended     bool              `json:"ended" doc:"The state is an outcome and never changes again."`
	Image     string            `json:"image" doc:"The configured image."`
	Namespace string            `json:"namespace" doc:"Where it belongs: that of the token which submitted it."`
	Asked     string            `json:"asked" doc:"The image as the submit named it."`
	Pin       string            `json:"pin,omitempty" doc:"repo@digest, fixed at submit. Missing only while the image waits for its first promotion."`
	Command   []string          `json:"command,omitempty"`
	Key       string            `json:"key,omitempty"`
	Epoch     int64             `json:"epoch,omitempty"`
	PinScope  string            `json:"pin_scope,omitempty"`
	Group     string            `json:"concurrency_group,omitempty"`
	Priority  int               `json:"priority,omitempty"`
	Meta      map[string]string `json:"meta,omitempty"`
	Try       int               `json:"try,omitempty" doc:"The number of this try at the caller's task, where it said so."`
	Tries     int               `json:"tries,omitempty" doc:"How many tries the task has."`
	Skips     []int             `json:"skip_exit_codes,omitempty" doc:"Exit codes that mean that there was nothing to do."`
	After     string            `json:"after,omitempty" doc:"A run of the same key that has to be over first."`
	SameAs    string            `json:"same_as,omitempty" doc:"The run whose success answers this one: nothing was executed for it."`
	Rejected  bool              `json:"rejected,omitempty" doc:"Its caller could not use this success."`
	Waiting   string            `json:"waiting,omitempty" doc:"What a queued run waits for."`
	Host      string            `json:"host,omitempty"`
	Engine    string            `json:"engine,omitempty" doc:"Version of the host's engine."`
	Container string            `json:"container_id,omitempty"`
	ExitCode  *int              `json:"exit_code,omitempty" doc:"The container's; missing where nothing exited."`
	Signal    int               `json:"signal,omitempty" doc:"The signal that ended the program, as its exit code tells."`
	OOMKilled bool              `json:"oom_killed,omitempty"`
	Reason    string            `json:"reason,omitempty" doc:"The code of why it ended."`
	Detail    string            `json:"detail,omitempty" doc:"The same for a reader."`
	Result    json.RawMessage   `json:"result,omitempty" doc:"What the result file held."`

	Stop         string     `json:"stop,omitempty" enum:"cancel,deadline,keepalive,replaced,new_epoch" doc:"Why it is to be stopped, or was."`
	StopOwed     bool       `json:"stop_owed,omitempty" doc:"The container may still run where nobody can see it; its key stays claimed."`
	Unreachable  *time.Time `json:"unreachable_since,omitempty" doc:"Since when its host has not answered."`
	Unattended   *time.Time `json:"unattended_since,omitempty" doc:"Since when its caller has been silent for longer than the keepalive."`
	Deadline     *time.Time `json:"deadline_at,omitempty"`
	Log          RunLog     `json:"log"`
	SubmittedAt  time.Time  `json:"submitted_at"`
	PlacedAt     *time.Time `json:"placed_at,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	FirstLineAt  *time.Time `json:"first_line_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
	QueueSeconds float64    `json:"queue_seconds" doc:"From submit to placement, or until now."`
	StartSeconds float64    `json:"start_seconds,omitempty" doc:"From placement to the start."`
	RunSeconds   float64    `json:"run_seconds,omitempty" doc:"From the start to the end, or until now."`
}

// RunLog is what is known of a run's log.
type RunLog struct {
	Lines    int64  `json:"lines"`
	Bytes    int64  `json:"bytes"`
	Complete bool   `json:"complete" doc:"Compared with the engine's after the exit: every line is there, once."`
	Gap      string `json:"gap,omitempty" doc:"Why it may lack lines, or that some were cut."`
	Removed  bool   `json:"removed,omitempty" doc:"Retention has removed it."`
}

// Submitted is the answer to a submit.
type Submitted struct {
	Run
	Joined  bool     `json:"joined,omitempty" doc:"An earlier run of the key answers this submit."`
	Differs []string `json:"differs,omitempty" doc:"The fields in which the joined run differs from what was asked."`
	Scope   string   `json:"scope,omitempty" enum:"new,existing,renewed" doc:"How the submit met its pin scope."`
	Link    string   `json:"link,omitempty" doc:"Where people read the log, in a browser: whoever has the link, for server.link_life from now on; with a link_life of 0, who has a token. Missing without a server.public_url." example:"https://prewarm.example.com/runs/01933c5e-9c1b-7f4e-8f7a-2d6d1c1b7a55/log"`
}

// Runs is a list of runs, newest first.
type Runs struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty" doc:"Pass it as before= to get the next page; missing on the last one."`
}

// LogLine is one line of a run's log.
type LogLine struct {
	Seq        int64      `json:"seq" doc:"1, 2, 3 … within the run: pass the last one as after= to get the rest."`
	Time       time.Time  `json:"time" doc:"By the server's clock, strictly increasing within the run."`
	EngineTime *time.Time `json:"engine_time,omitempty" doc:"The engine's own; missing on a line of the server's."`
	Stream     string     `json:"stream" enum:"stdout,stderr,prewarm"`
	Text       string     `json:"text" doc:"Without its line feed. Bytes that are not UTF-8 are U+FFFD."`
	Open       bool       `json:"open,omitempty" doc:"No line feed followed."`
}

// Scope is a pin scope.
type Scope struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	Live      bool       `json:"live" doc:"Its digests are held and its volume stays."`
	Pins      []ScopePin `json:"pins"`
	Host      string     `json:"host,omitempty" doc:"The host of its volume."`
	Volume    string     `json:"volume,omitempty" doc:"Empty once it was removed."`
	Kept      bool       `json:"volume_kept,omitempty" doc:"The volume stays though the scope has ended: a run failed that asked for that."`
	Created   time.Time  `json:"created_at"`
	Used      time.Time  `json:"used_at"`
	Ended     *time.Time `json:"ended_at,omitempty"`
}

// ScopePin is what an image means in a scope.
type ScopePin struct {
	Image string    `json:"image" doc:"image, or image:tag where the image tracks several."`
	Pin   string    `json:"pin"`
	Since time.Time `json:"since"`
}

// Scopes lists pin scopes, the last used first.
type Scopes struct {
	Scopes []Scope `json:"scopes"`
}

// RepinRequest moves an image of a scope to its current digest.
type RepinRequest struct {
	Image string `json:"image" minLength:"1"`
}

// Repinned is what became of it.
type Repinned struct {
	Scope Scope  `json:"scope"`
	Old   string `json:"old"`
	New   string `json:"new"`
}
