package config

import (
	"reflect"
	"strings"
)

// The structs below are the file as it is written, before any check: the walk
// takes the known keys from them, viper fills them, and Redacted writes them, in
// this order. Key names are in the mapstructure tags and again, for writing, in
// the yaml tags. Whether a key was written is asked of the reader, not of a
// zero value: "runs: 0" is a mistake, a missing "runs" is 8.
type document struct {
	Server     serverDoc     `mapstructure:"server" yaml:"server"`
	Auth       authDoc       `mapstructure:"auth" yaml:"auth,omitempty"`
	State      stateDoc      `mapstructure:"state" yaml:"state"`
	Limits     fleetDoc      `mapstructure:"limits" yaml:"limits,omitempty"`
	Registries []registryDoc `mapstructure:"registries" yaml:"registries,omitempty"`
	Hosts      []hostDoc     `mapstructure:"hosts" yaml:"hosts,omitempty"`
	HostsFile  string        `mapstructure:"hosts_file" yaml:"hosts_file,omitempty"`
	Images     []imageDoc    `mapstructure:"images" yaml:"images,omitempty"`
	Prune      pruneDoc      `mapstructure:"prune" yaml:"prune"`
	Runner     runnerDoc     `mapstructure:"runner" yaml:"runner"`
	Webhooks   []webhookDoc  `mapstructure:"webhooks" yaml:"webhooks,omitempty"`
	Notify     []notifyDoc   `mapstructure:"notify" yaml:"notify,omitempty"`
}

type stateDoc struct {
	Path string `mapstructure:"path" yaml:"path"`
	Keep string `mapstructure:"keep" yaml:"keep"`
}

type fleetDoc struct {
	Pulls int    `mapstructure:"pulls" yaml:"pulls,omitempty"`
	Rate  string `mapstructure:"rate" yaml:"rate,omitempty"`
}

type registryDoc struct {
	Name         string `mapstructure:"name" yaml:"name"`
	Username     string `mapstructure:"username" yaml:"username,omitempty"`
	Password     Secret `mapstructure:"password" yaml:"password,omitempty"`
	PasswordFile string `mapstructure:"password_file" yaml:"password_file,omitempty"`
	PlainHTTP    bool   `mapstructure:"plain_http" yaml:"plain_http,omitempty"`
	CAFile       string `mapstructure:"ca_file" yaml:"ca_file,omitempty"`
	CertFile     string `mapstructure:"cert_file" yaml:"cert_file,omitempty"`
	KeyFile      string `mapstructure:"key_file" yaml:"key_file,omitempty"`
	Rate         string `mapstructure:"rate" yaml:"rate,omitempty"`
	Pulls        int    `mapstructure:"pulls" yaml:"pulls,omitempty"`
	Mirror       string `mapstructure:"mirror" yaml:"mirror,omitempty"`
	Seed         bool   `mapstructure:"seed" yaml:"seed,omitempty"`
}

// hostsFileDoc is the file that hosts_file names.
type hostsFileDoc struct {
	Hosts []hostDoc `mapstructure:"hosts" yaml:"hosts"`
}

type hostDoc struct {
	Name     string            `mapstructure:"name" yaml:"name"`
	Endpoint string            `mapstructure:"endpoint" yaml:"endpoint"`
	Aliases  plainList         `mapstructure:"aliases" yaml:"aliases,omitempty,flow"`
	Insecure bool              `mapstructure:"insecure" yaml:"insecure,omitempty"`
	TLS      *tlsDoc           `mapstructure:"tls" yaml:"tls,omitempty"` // a pointer: "tls: {}" says something
	SSH      *sshDoc           `mapstructure:"ssh" yaml:"ssh,omitempty"`
	Labels   map[string]string `mapstructure:"labels" yaml:"labels,omitempty"`
	Limits   limitsDoc         `mapstructure:"limits" yaml:"limits"`
	Disk     diskDoc           `mapstructure:"disk" yaml:"disk,omitempty"`
	Env      []string          `mapstructure:"env" yaml:"env,omitempty,flow"`
	Binds    plainList         `mapstructure:"binds" yaml:"binds,omitempty,flow"`
}

type tlsDoc struct {
	CA         string `mapstructure:"ca" yaml:"ca,omitempty"`
	Cert       string `mapstructure:"cert" yaml:"cert,omitempty"`
	Key        string `mapstructure:"key" yaml:"key,omitempty"`
	ServerName string `mapstructure:"server_name" yaml:"server_name,omitempty"`
}

type sshDoc struct {
	KeyFile    string `mapstructure:"key_file" yaml:"key_file,omitempty"`
	KnownHosts string `mapstructure:"known_hosts" yaml:"known_hosts,omitempty"`
}

type limitsDoc struct {
	Pulls int `mapstructure:"pulls" yaml:"pulls"`
	Runs  int `mapstructure:"runs" yaml:"runs"`
}

type diskDoc struct {
	High   string `mapstructure:"high" yaml:"high,omitempty"`
	Low    string `mapstructure:"low" yaml:"low,omitempty"`
	Budget string `mapstructure:"budget" yaml:"budget,omitempty"`
}

type imageDoc struct {
	Name       string            `mapstructure:"name" yaml:"name"`
	Repository string            `mapstructure:"repository" yaml:"repository"`
	Track      trackDoc          `mapstructure:"track" yaml:"track"`
	Hosts      map[string]string `mapstructure:"hosts" yaml:"hosts,omitempty"`
	Watch      string            `mapstructure:"watch" yaml:"watch,omitempty"`
	Windows    []windowDoc       `mapstructure:"windows" yaml:"windows,omitempty"`
	Cooldown   string            `mapstructure:"cooldown" yaml:"cooldown,omitempty"`
	Approve    string            `mapstructure:"approve" yaml:"approve,omitempty"`
	Verify     verifyDoc         `mapstructure:"verify" yaml:"verify,omitempty"`
	Promote    promoteDoc        `mapstructure:"promote" yaml:"promote"`
	Retag      bool              `mapstructure:"retag" yaml:"retag,omitempty"`
	Keep       int               `mapstructure:"keep" yaml:"keep"`
	Prune      imagePruneDoc     `mapstructure:"prune" yaml:"prune,omitempty"`
	Run        runDoc            `mapstructure:"run" yaml:"run,omitempty"`
}

type trackDoc struct {
	Tag    string     `mapstructure:"tag" yaml:"tag,omitempty"`
	Digest string     `mapstructure:"digest" yaml:"digest,omitempty"`
	Select *selectDoc `mapstructure:"select" yaml:"select,omitempty"`
}

type selectDoc struct {
	Include   string `mapstructure:"include" yaml:"include,omitempty"`
	Exclude   string `mapstructure:"exclude" yaml:"exclude,omitempty"`
	Extract   string `mapstructure:"extract" yaml:"extract,omitempty"`
	Order     string `mapstructure:"order" yaml:"order,omitempty"`
	Range     string `mapstructure:"range" yaml:"range,omitempty"`
	Newest    int    `mapstructure:"newest" yaml:"newest,omitempty"`
	Downgrade bool   `mapstructure:"downgrade" yaml:"downgrade,omitempty"`
}

type windowDoc struct {
	Days  string `mapstructure:"days" yaml:"days,omitempty"`
	Dates string `mapstructure:"dates" yaml:"dates,omitempty"`
	From  string `mapstructure:"from" yaml:"from,omitempty"`
	To    string `mapstructure:"to" yaml:"to,omitempty"`
	Zone  string `mapstructure:"zone" yaml:"zone,omitempty"`
}

type verifyDoc struct {
	Command []string `mapstructure:"command" yaml:"command,omitempty,flow"`
	Timeout string   `mapstructure:"timeout" yaml:"timeout,omitempty"`
}

type promoteDoc struct {
	When      string      `mapstructure:"when" yaml:"when"`
	Straggler string      `mapstructure:"straggler" yaml:"straggler"`
	Windows   []windowDoc `mapstructure:"windows" yaml:"windows,omitempty"`
}

// In what is laid over something else, zero is a value: a pointer tells that a
// number or a word was written.
type imagePruneDoc struct {
	MinAge    string `mapstructure:"min_age" yaml:"min_age,omitempty"`
	UnusedFor string `mapstructure:"unused_for" yaml:"unused_for,omitempty"`
	KeepMin   *int   `mapstructure:"keep_min" yaml:"keep_min,omitempty"`
}

type runDoc struct {
	Env         []string          `mapstructure:"env" yaml:"env,omitempty,flow"`
	User        string            `mapstructure:"user" yaml:"user,omitempty"`
	Workdir     string            `mapstructure:"workdir" yaml:"workdir,omitempty"`
	Network     string            `mapstructure:"network" yaml:"network,omitempty"`
	DNS         plainList         `mapstructure:"dns" yaml:"dns,omitempty,flow"`
	ExtraHosts  plainList         `mapstructure:"extra_hosts" yaml:"extra_hosts,omitempty,flow"`
	Mounts      plainList         `mapstructure:"mounts" yaml:"mounts,omitempty"`
	Memory      string            `mapstructure:"memory" yaml:"memory,omitempty"`
	MemorySwap  string            `mapstructure:"memory_swap" yaml:"memory_swap,omitempty"`
	CPUs        string            `mapstructure:"cpus" yaml:"cpus,omitempty"`
	CPUShares   int               `mapstructure:"cpu_shares" yaml:"cpu_shares,omitempty"`
	PidsLimit   int               `mapstructure:"pids_limit" yaml:"pids_limit,omitempty"`
	ShmSize     string            `mapstructure:"shm_size" yaml:"shm_size,omitempty"`
	Ulimits     plainList         `mapstructure:"ulimits" yaml:"ulimits,omitempty,flow"`
	Init        bool              `mapstructure:"init" yaml:"init,omitempty"`
	ReadOnly    bool              `mapstructure:"read_only" yaml:"read_only,omitempty"`
	CapDrop     plainList         `mapstructure:"cap_drop" yaml:"cap_drop,omitempty,flow"`
	SecurityOpt plainList         `mapstructure:"security_opt" yaml:"security_opt,omitempty,flow"`
	Labels      map[string]string `mapstructure:"labels" yaml:"labels,omitempty"`
	StopSignal  string            `mapstructure:"stop_signal" yaml:"stop_signal,omitempty"`
	StopGrace   string            `mapstructure:"stop_grace" yaml:"stop_grace,omitempty"`
	Timeout     string            `mapstructure:"timeout" yaml:"timeout,omitempty"`
	Concurrency int               `mapstructure:"concurrency" yaml:"concurrency,omitempty"`
}

type pruneDoc struct {
	Schedule    string         `mapstructure:"schedule" yaml:"schedule"`
	Windows     []windowDoc    `mapstructure:"windows" yaml:"windows,omitempty"`
	MinAge      string         `mapstructure:"min_age" yaml:"min_age"`
	UnusedFor   string         `mapstructure:"unused_for" yaml:"unused_for,omitempty"`
	KeepMin     int            `mapstructure:"keep_min" yaml:"keep_min"`
	Protect     plainList      `mapstructure:"protect" yaml:"protect,omitempty,flow"`
	Unmanaged   string         `mapstructure:"unmanaged" yaml:"unmanaged"`
	MaxRemovals int            `mapstructure:"max_removals" yaml:"max_removals,omitempty"`
	DryRun      bool           `mapstructure:"dry_run" yaml:"dry_run,omitempty"`
	Hosts       []pruneHostDoc `mapstructure:"hosts" yaml:"hosts,omitempty"`
}

type pruneHostDoc struct {
	Labels      map[string]string `mapstructure:"labels" yaml:"labels"`
	MinAge      string            `mapstructure:"min_age" yaml:"min_age,omitempty"`
	UnusedFor   string            `mapstructure:"unused_for" yaml:"unused_for,omitempty"`
	KeepMin     *int              `mapstructure:"keep_min" yaml:"keep_min,omitempty"`
	Protect     plainList         `mapstructure:"protect" yaml:"protect,omitempty,flow"`
	Unmanaged   string            `mapstructure:"unmanaged" yaml:"unmanaged,omitempty"`
	MaxRemovals *int              `mapstructure:"max_removals" yaml:"max_removals,omitempty"`
	DryRun      *bool             `mapstructure:"dry_run" yaml:"dry_run,omitempty"`
}

type runnerDoc struct {
	Grace         string       `mapstructure:"grace" yaml:"grace"`
	Queue         int          `mapstructure:"queue" yaml:"queue"`
	Unclaimed     string       `mapstructure:"unclaimed" yaml:"unclaimed"`
	Keep          string       `mapstructure:"keep" yaml:"keep"`
	MaxResult     string       `mapstructure:"max_result" yaml:"max_result"`
	Logs          logsDoc      `mapstructure:"logs" yaml:"logs"`
	Forward       []forwardDoc `mapstructure:"forward" yaml:"forward,omitempty"`
	SecretKeyFile string       `mapstructure:"secret_key_file" yaml:"secret_key_file,omitempty"`
	Policy        policyDoc    `mapstructure:"policy" yaml:"policy,omitempty"`
}

type logsDoc struct {
	Cap   string `mapstructure:"cap" yaml:"cap"`
	Keep  string `mapstructure:"keep" yaml:"keep"`
	Total string `mapstructure:"total" yaml:"total,omitempty"`
}

type forwardDoc struct {
	To      string `mapstructure:"to" yaml:"to"`
	Path    string `mapstructure:"path" yaml:"path,omitempty"`
	Address string `mapstructure:"address" yaml:"address,omitempty"`
}

type policyDoc struct {
	Privileged     bool      `mapstructure:"privileged" yaml:"privileged,omitempty"`
	HostNamespaces bool      `mapstructure:"host_namespaces" yaml:"host_namespaces,omitempty"`
	BindMounts     plainList `mapstructure:"bind_mounts" yaml:"bind_mounts,omitempty,flow"`
	Volumes        plainList `mapstructure:"volumes" yaml:"volumes,omitempty,flow"`
	Networks       plainList `mapstructure:"networks" yaml:"networks,omitempty,flow"`
	CapAdd         plainList `mapstructure:"cap_add" yaml:"cap_add,omitempty,flow"`
	Devices        plainList `mapstructure:"devices" yaml:"devices,omitempty,flow"`
	SecurityOpt    plainList `mapstructure:"security_opt" yaml:"security_opt,omitempty,flow"`
	Sysctls        plainList `mapstructure:"sysctls" yaml:"sysctls,omitempty,flow"`
	SecretFiles    plainList `mapstructure:"secret_files" yaml:"secret_files,omitempty,flow"`
}

// field is a key of a mapping.
type field struct {
	key string
	typ reflect.Type
}

// fieldsOf lists the keys that a struct of the document knows, pointers
// followed.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		fields = append(fields, field{key: f.Tag.Get("mapstructure"), typ: typ})
	}
	return fields
}

// setting is a key that can be set as a whole from the environment: a scalar
// outside of lists, or a list.
type setting struct {
	path string // as in messages: server.listen
	typ  reflect.Type
}

func (s setting) key() string { return strings.ReplaceAll(s.path, ".", delimiter) }

// variable is the name of its environment variable.
func (s setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

// settings lists them, in the order of the document.
func settings() []setting { return settingsOf(reflect.TypeFor[document](), "") }

func settingsOf(t reflect.Type, prefix string) []setting {
	var list []setting
	for _, f := range fieldsOf(t) {
		if f.typ.Kind() == reflect.Struct {
			list = append(list, settingsOf(f.typ, prefix+f.key+".")...)
			continue
		}
		list = append(list, setting{path: prefix + f.key, typ: f.typ})
	}
	return list
}
