package config

import (
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// Run is what an image's runs get where their submits say nothing. The zero
// value of a field leaves it to the engine.
type Run struct {
	Env         []string // NAME=value; a submit's go before them by name
	User        string
	Workdir     string
	Network     string
	DNS         []string // addresses
	ExtraHosts  []string // name:address
	Mounts      []Mount
	Memory      int64 // bytes
	MemorySwap  int64 // bytes of memory and swap together; -1: unlimited
	NanoCPUs    int64 // billionths of a CPU
	CPUShares   int64
	PidsLimit   int64
	ShmSize     int64 // bytes
	Ulimits     []Ulimit
	Init        bool
	ReadOnly    bool
	CapDrop     []string // without CAP_, in upper case
	SecurityOpt []string
	Labels      map[string]string
	StopSignal  string // as SIGTERM, or a number
	StopGrace   time.Duration
	Timeout     time.Duration // from the submit on; 0: none
	Concurrency int           // runs under way at once; 0: any number
}

// Ulimit is a limit of a process; -1 is unlimited.
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// leastMemory is what engines demand for a container, in bytes.
const leastMemory = 6 * mib

func (r *reader) run(field string, doc runDoc) Run {
	run := Run{
		Env:         r.variables(field+".env", doc.Env),
		User:        r.user(field+".user", doc.User),
		Network:     doc.Network,
		DNS:         eachOnce(r, field+".dns", doc.DNS, r.address),
		ExtraHosts:  eachOnce(r, field+".extra_hosts", doc.ExtraHosts, r.extraHost),
		Mounts:      r.mounts(field+".mounts", doc.Mounts),
		Memory:      r.size(field+".memory", doc.Memory, 0, leastMemory),
		NanoCPUs:    r.cpus(field+".cpus", doc.CPUs),
		ShmSize:     r.size(field+".shm_size", doc.ShmSize, 0, 1<<10),
		Ulimits:     r.ulimits(field+".ulimits", doc.Ulimits),
		Init:        doc.Init,
		ReadOnly:    doc.ReadOnly,
		CapDrop:     r.capabilities(field+".cap_drop", doc.CapDrop),
		SecurityOpt: r.securityOpts(field+".security_opt", doc.SecurityOpt),
		Labels:      r.runLabels(field+".labels", doc.Labels),
		StopSignal:  r.signal(field+".stop_signal", doc.StopSignal),
		StopGrace:   r.duration(field+".stop_grace", doc.StopGrace, 0, time.Second),
		Timeout:     r.duration(field+".timeout", doc.Timeout, 0, time.Second),
	}
	run.MemorySwap = r.memorySwap(field, doc.MemorySwap, run.Memory)
	if r.has(field+".workdir") && r.fullPath(field+".workdir", doc.Workdir) {
		run.Workdir = doc.Workdir
	}
	if r.has(field + ".network") {
		r.network(field+".network", doc.Network)
	}
	const none = "leave it out for no limit"
	r.limit(field+".concurrency", doc.Concurrency, &run.Concurrency, none)
	var shares, pids int
	r.limit(field+".cpu_shares", doc.CPUShares, &shares, "leave it out for the usual 1024")
	r.limit(field+".pids_limit", doc.PidsLimit, &pids, none)
	run.CPUShares, run.PidsLimit = int64(shares), int64(pids)
	return run
}

// variables checks a list of environment variables. Their values may be secret,
// so that no message tells them.
func (r *reader) variables(field string, written []string) []string {
	var list []string
	seen := make(map[string]string)
	for i, text := range written {
		entry := fmt.Sprintf("%s[%d]", field, i)
		name, _, ok := strings.Cut(text, "=")
		first, taken := seen[name]
		switch {
		case !ok || name == "" || strings.ContainsAny(name, " \t\n") || strings.ContainsRune(text, 0):
			r.add(entry, "", "it is not a variable with its value", "write it as in NODE_ENV=production")
		case taken:
			r.add(entry, name, first+" sets this variable already", "keep one of the two")
		default:
			seen[name] = entry
			list = append(list, text)
		}
	}
	return list
}

var userRule = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+)?$`)

func (r *reader) user(field, text string) string {
	if r.has(field) && !userRule.MatchString(text) {
		r.add(field, text, "it is not a user", "write a name or a number, and a group behind a colon, as in 1000:1000")
	}
	return text
}

func (r *reader) address(field, text string) (string, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		r.add(field, text, "it is not an IP address", "write one, as in 10.0.0.53")
	}
	return addr.String(), err == nil
}

// extraHost gives name:address. docker takes name=address, too.
func (r *reader) extraHost(field, text string) (string, bool) {
	i := strings.IndexAny(text, ":=")
	name, address := text[:max(i, 0)], text[i+1:]
	addr, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err == nil {
		address = addr.String()
	}
	if !hostName.MatchString(name) || err != nil && address != "host-gateway" {
		r.add(field, text, "it is not a name with its address", "write it as in db:10.0.0.5, or db:host-gateway for the host's own")
		return "", false
	}
	return name + ":" + address, true
}

func (r *reader) memorySwap(entry, text string, memory int64) int64 {
	field := entry + ".memory_swap"
	switch {
	case !r.has(field) || r.spoiledWithin(entry+".memory"):
		return 0
	case text == "-1":
		return -1
	case !r.has(entry + ".memory"):
		r.add(field, text, "engines take it together with memory only", "add memory, or leave it out")
		return 0
	}
	return r.size(field, text, 0, max(memory, leastMemory))
}

func swapText(size int64) string {
	if size < 0 {
		return "-1"
	}
	return sizeText(size)
}

var cpusRule = regexp.MustCompile(`^[0-9]*\.?[0-9]+$`)

// maxCPUs is more than any host has.
const maxCPUs = 1024

// cpus reads a number of CPUs in billionths of one.
func (r *reader) cpus(field, text string) int64 {
	if !r.has(field) {
		return 0
	}
	const mend = "write a number of CPUs, as in 2 or 1.5"
	if !cpusRule.MatchString(text) {
		r.add(field, text, "it is not a number of CPUs", mend)
		return 0
	}
	number, ok := new(big.Rat).SetString(text)
	nano := new(big.Rat)
	if ok {
		nano.Mul(number, big.NewRat(1_000_000_000, 1))
	}
	if !nano.IsInt() || nano.Sign() <= 0 || number.Cmp(big.NewRat(maxCPUs, 1)) > 0 {
		r.add(field, text, "no container can have that share of CPUs", mend)
		return 0
	}
	return nano.Num().Int64()
}

func cpusText(nano int64) string {
	if nano == 0 {
		return ""
	}
	text := big.NewRat(nano, 1_000_000_000).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func (r *reader) ulimits(field string, written []string) []Ulimit {
	var list []Ulimit
	seen := make(map[string]string)
	for i, text := range written {
		entry := fmt.Sprintf("%s[%d]", field, i)
		limit, err := units.ParseUlimit(text)
		if err != nil || limit.Soft < -1 || limit.Hard < -1 {
			r.add(entry, text, "it is not a limit of processes", "write a name of ulimit with a soft and a hard limit, as in nofile=1024:2048")
			continue
		}
		if first, taken := seen[limit.Name]; taken {
			r.add(entry, text, first+" says the same limit already", "keep one of the two")
		}
		seen[limit.Name] = entry
		list = append(list, Ulimit{Name: limit.Name, Soft: limit.Soft, Hard: limit.Hard})
	}
	return list
}

func (u Ulimit) String() string { return fmt.Sprintf("%s=%d:%d", u.Name, u.Soft, u.Hard) }

// ownLabels begins the names of labels that the server sets.
const ownLabels = "prewarm."

func (r *reader) runLabels(field string, labels map[string]string) map[string]string {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if strings.HasPrefix(name, ownLabels) {
			r.add(join(field, name), "", "labels that begin with prewarm. are the server's", "choose another name")
		}
	}
	return maps.Clone(labels)
}

var signalNames = strings.Fields(`HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP
	TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS RTMIN RTMAX`)

var realTime = regexp.MustCompile(`^(RTMIN\+|RTMAX-)([1-9]|1[0-5])$`)

// signal gives a signal as SIGTERM, or as the number that was written.
func (r *reader) signal(field, text string) string {
	if !r.has(field) {
		return ""
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	number, err := strconv.ParseUint(text, 10, 8)
	switch {
	case err == nil && number >= 1 && number <= 64:
		return strconv.FormatUint(number, 10)
	case slices.Contains(signalNames, name) || realTime.MatchString(name):
		return "SIG" + name
	}
	r.add(field, text, "there is no such signal", "write a name, as in SIGINT, or a number from 1 to 64")
	return ""
}

// checkAllowed reports defaults that the policy forbids: each run of the image
// would be refused for them.
func (r *reader) checkAllowed(entry string, run Run, policy Policy) {
	if r.spoiledWithin("runner.policy") {
		return
	}
	for _, m := range run.Mounts {
		switch {
		case m.Kind == BindMount && !mountable(m.Source, policy.BindMounts):
			r.add(entry+".mounts", m.Source, "runner.policy.bind_mounts does not allow it", "add the folder, or FOLDER/** for all below it, there, or leave the mount out")
		case m.Kind == VolumeMount && !policy.mayMount(m.Source):
			r.add(entry+".mounts", m.Source, "runner.policy.volumes does not allow it", "add its name, or its beginning and *, there, or leave the mount out")
		}
	}
	for _, opt := range run.SecurityOpt {
		if opt != noNewPrivileges && !slices.Contains(policy.SecurityOpt, opt) {
			r.add(entry+".security_opt", opt, "runner.policy.security_opt does not allow it", "add it there, or leave it out")
		}
	}
	field := entry + ".network"
	switch {
	case run.Network == "host" && !policy.HostNamespaces:
		r.add(field, run.Network, "runner.policy.host_namespaces does not allow it", "set it to true, or choose another network")
	case run.Network != "" && run.Network != "host" && len(policy.Networks) > 0 && !slices.Contains(policy.Networks, run.Network):
		r.add(field, run.Network, "runner.policy.networks does not allow it", "add it there, or choose one of "+strings.Join(policy.Networks, ", "))
	}
}

func (run Run) document() runDoc {
	doc := runDoc{
		Env: run.Env, User: run.User, Workdir: run.Workdir, Network: run.Network, DNS: run.DNS, ExtraHosts: run.ExtraHosts,
		Memory: sizeText(run.Memory), MemorySwap: swapText(run.MemorySwap), CPUs: cpusText(run.NanoCPUs),
		CPUShares: int(run.CPUShares), PidsLimit: int(run.PidsLimit), ShmSize: sizeText(run.ShmSize), Init: run.Init, ReadOnly: run.ReadOnly,
		CapDrop: run.CapDrop, SecurityOpt: run.SecurityOpt, Labels: run.Labels, StopSignal: run.StopSignal,
		StopGrace: optionalText(run.StopGrace), Timeout: optionalText(run.Timeout), Concurrency: run.Concurrency,
	}
	for _, m := range run.Mounts {
		doc.Mounts = append(doc.Mounts, m.String())
	}
	for _, u := range run.Ulimits {
		doc.Ulimits = append(doc.Ulimits, u.String())
	}
	return doc
}

// optionalText is durationText, and empty for none.
func optionalText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return durationText(d)
}
