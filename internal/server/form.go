package server

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// form looks at the fields of a submit. The first that is wrong is told.
type form struct {
	err     *problem.Error
	targets map[string]string // what is mounted where, by path
}

// want refuses a field unless it is right. An empty value is not repeated: it is
// missing, or may be a secret.
func (f *form) want(right bool, field, value, why, mend string) {
	if right || f.err != nil {
		return
	}
	message := field + ": " + why
	if value != "" && len(value) <= longestValue {
		message += fmt.Sprintf(" (got %q)", value)
	}
	f.err = problem.New(problem.InvalidRequest, message, mend)
}

// The forms of names. What they mean is for the engine to say.
var (
	volumeName        = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	hostName          = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$`)
	ulimitName        = regexp.MustCompile(`^[a-z]+$`)
	sysctlName        = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)
	capability        = regexp.MustCompile(`^[a-zA-Z_]+$`)
	signalName        = regexp.MustCompile(`(?i)^([1-9][0-9]?|(SIG)?[A-Z][A-Z0-9]*([+-][0-9]+)?)$`)
	cpuSet            = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)
	platformName      = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
	devicePermissions = regexp.MustCompile(`^[rwm]{1,3}$`)
)

// longestHostname is the kernel's bound, in bytes.
const longestHostname = 64

// container looks at what is executed, and as what.
func (f *form) container(r api.SubmitRun) {
	for i, e := range r.Env {
		name, _, ok := strings.Cut(e, "=")
		// Not repeated: it may be a secret that lost its name.
		f.want(ok && name != "", fmt.Sprintf("env[%d]", i), "", "it is no NAME=value", "write each as NAME=value")
	}
	f.arguments("command", r.Command)
	f.arguments("entrypoint", r.Entrypoint)
	f.arguments("env", r.Env)
	f.clean("user", r.User)
	f.words("groups", r.Groups)
	f.want(r.Hostname == "" || len(r.Hostname) <= longestHostname && hostName.MatchString(r.Hostname), "hostname", r.Hostname,
		"it is no name of a host", "write up to 64 letters, digits, . and -")
	f.want(r.StopSignal == "" || signalName.MatchString(r.StopSignal), "stop_signal", r.StopSignal, "it is no signal", "write it as SIGINT or 2")
	f.want(r.Platform == "" || platformName.MatchString(r.Platform), "platform", r.Platform, "it is no platform", "write it as linux/amd64 or linux/arm64/v8")
	f.names("labels", r.Labels)
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		f.want(!strings.HasPrefix(name, "prewarm."), "labels", name, "labels that begin with prewarm. are the server's", "choose another name")
	}
}

// arguments are not repeated: there may be secrets among them.
func (f *form) arguments(field string, all []string) {
	for i, text := range all {
		f.want(!strings.Contains(text, "\x00"), fmt.Sprintf("%s[%d]", field, i), "", "it has a zero byte, which no program can be given", "encode it")
	}
}

func (f *form) network(r api.SubmitRun) {
	f.word("network", r.Network)
	f.words("network_aliases", r.Aliases)
	f.words("dns_search", r.DNSSearch)
	f.words("dns_options", r.DNSOptions)
	for i, address := range r.DNS {
		_, err := netip.ParseAddr(address)
		f.want(err == nil, fmt.Sprintf("dns[%d]", i), address, "it is no IP address", "write it as 10.0.0.53")
	}
	for i, entry := range r.ExtraHosts {
		name, address, _ := strings.Cut(entry, ":")
		_, err := netip.ParseAddr(address)
		f.want(name != "" && isWord(name) && (err == nil || address == "host-gateway"), fmt.Sprintf("extra_hosts[%d]", i), entry,
			"it is no name:ip", "write it as db:10.0.0.5, or db:host-gateway for the host")
	}
	f.want(oneOf(r.IPC, "none", "private", "shareable", "host"), "ipc", r.IPC, "there is no such mode", "write none, private, shareable or host")
	f.want(oneOf(r.PID, "host"), "pid", r.PID, "there is no such mode", "write host, or leave it out")
}

// oneOf tells whether a mode is one of some, another container's, or not set.
func oneOf(mode string, modes ...string) bool {
	other, ok := strings.CutPrefix(mode, "container:")
	return mode == "" || slices.Contains(modes, mode) || ok && hostName.MatchString(other)
}

func (f *form) resources(r api.SubmitRun) {
	f.want(r.CPUs == 0 || r.CPUs >= 0.5e-9, "cpus", fmt.Sprintf("%g", r.CPUs), "it is less than a billionth", "leave it out for no limit")
	f.want(r.CPUSet == "" || cpuSet.MatchString(r.CPUSet), "cpuset", r.CPUSet, "it is no list of CPUs", "write it as 0-3,7")
	f.want(r.MemorySwap <= 0 || r.MemorySwap >= r.Memory, "memory_swap", fmt.Sprint(r.MemorySwap),
		"it is less than memory, which it includes", "raise it; as much as memory means no swap")
	f.want(r.Memory == 0 || r.MemoryReservation <= r.Memory, "memory_reservation", fmt.Sprint(r.MemoryReservation), "it is more than memory", "lower it")
}

func (f *form) privileges(r api.SubmitRun) {
	f.capabilities("cap_add", r.CapAdd)
	f.capabilities("cap_drop", r.CapDrop)
	f.words("security_opt", r.SecurityOpt)
	for _, name := range slices.Sorted(maps.Keys(r.Sysctls)) {
		f.want(sysctlName.MatchString(name), "sysctls", name, "it is no name of a setting", "write it as net.core.somaxconn")
	}
}

func (f *form) capabilities(field string, names []string) {
	for i, name := range names {
		f.want(capability.MatchString(name), fmt.Sprintf("%s[%d]", field, i), name, "it is no capability", "write it as SYS_PTRACE, or ALL")
	}
}

// path refuses what is no absolute path, and gives it without detours.
func (f *form) path(field, value string) string {
	f.want(path.IsAbs(value) && isClean(value), field, value, "it is no absolute path", "begin it with /")
	return path.Clean(value)
}

// optionalPath takes an empty one, too.
func (f *form) optionalPath(field, value string) string {
	if value == "" {
		return ""
	}
	return f.path(field, value)
}

// target is a path in the container at which something is mounted, and nothing
// else.
func (f *form) target(field, value string, optional bool) string {
	if optional && value == "" {
		return ""
	}
	at := f.path(field, value)
	f.want(at != "/", field, value, "it is the container's root", "mount it at a folder below")
	other, taken := f.targets[at]
	f.want(!taken, field, value, "there is something mounted already: "+other, "choose another folder")
	f.targets[at] = field
	return at
}

// word refuses what has blanks or can't be printed; empty is right.
func (f *form) word(field, value string) {
	f.want(value == "" || isWord(value), field, value, "it has characters that no name has", "write it without blanks")
}

// words refuses what is empty, too.
func (f *form) words(field string, values []string) {
	for i, value := range values {
		f.want(value != "", fmt.Sprintf("%s[%d]", field, i), "", "it is empty", "leave it out")
		f.word(fmt.Sprintf("%s[%d]", field, i), value)
	}
}

// clean refuses control characters: a key or a user is printed in many places.
func (f *form) clean(field, value string) {
	f.want(isClean(value), field, value, "it has a control character", "leave line feeds and the like out")
}

// names refuses names that are empty or can't be printed. Values are not
// repeated.
func (f *form) names(field string, m map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f.want(name != "", field, "", "a name is empty", "give each value a name")
		f.clean(field, name)
	}
}

func isClean(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}
