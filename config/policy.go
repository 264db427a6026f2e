package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Policy is what submits may ask for. The zero Policy allows nothing of it.
type Policy struct {
	Privileged bool
	// HostNamespaces allows the host's network, pid and ipc, and those of other
	// containers.
	HostNamespaces bool
	BindMounts     []string // folders of the hosts, absolute; one that ends in /** with all below it
	Volumes        []string // names, or their beginnings and *; empty: any but the server's
	Networks       []string // names; empty: any but the host's and containers'
	CapAdd         []string // without CAP_, in upper case; ALL allows every one
	Devices        []string // of the hosts: paths, folders with all that is in them, names of CDI
	SecurityOpt    []string // beside no-new-privileges
	Sysctls        []string // names
	SecretFiles    []string // folders of the server, absolute, below which secrets may be read
}

func (r *reader) policy(field string, doc policyDoc) Policy {
	return Policy{
		Privileged:     doc.Privileged,
		HostNamespaces: doc.HostNamespaces,
		BindMounts:     r.bindMounts(field+".bind_mounts", doc.BindMounts),
		Volumes:        r.volumes(field+".volumes", doc.Volumes),
		Networks:       r.networks(field+".networks", doc.Networks),
		CapAdd:         r.capabilities(field+".cap_add", doc.CapAdd),
		Devices:        r.devices(field+".devices", doc.Devices),
		SecurityOpt:    r.securityOpts(field+".security_opt", doc.SecurityOpt),
		Sysctls:        r.sysctls(field+".sysctls", doc.Sysctls),
		SecretFiles:    r.folders(field+".secret_files", doc.SecretFiles),
	}
}

// allBelow ends a folder that allows what is below it, too.
const allBelow = "/**"

func (r *reader) bindMounts(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		folder, all := strings.CutSuffix(text, allBelow)
		if strings.ContainsRune(folder, '*') {
			r.add(entry, text, "only "+allBelow+" at its end stands for other folders", "write the folder, or FOLDER"+allBelow+" for all below it, too")
			return "", false
		}
		return text, all && folder == "" || r.fullPath(entry, folder)
	})
}

// mountable tells whether a folder of a host is listed, or below one that is
// listed with all below it.
func mountable(name string, listed []string) bool {
	return slices.ContainsFunc(listed, func(entry string) bool {
		folder, all := strings.CutSuffix(entry, allBelow)
		return name == folder || all && strings.HasPrefix(name, folder+"/")
	})
}

// volumes checks a list of names of volumes, of which an entry may be the
// beginning.
func (r *reader) volumes(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		name := strings.TrimSuffix(text, "*")
		switch {
		case strings.HasPrefix(name, ownVolumes):
			r.add(entry, text, "volumes that begin with prewarm- are the server's", "leave it out: no run may mount them by name")
		case !volumeName.MatchString(name):
			r.add(entry, text, "it is not the name of a volume", "write a name that docker volume ls shows, or at least two letters of its beginning and *, as in etl_*")
		default:
			return text, true
		}
		return "", false
	})
}

// mayMount tells whether runs may mount a volume of that name.
func (p Policy) mayMount(volume string) bool {
	return volume == "" || len(p.Volumes) == 0 || slices.ContainsFunc(p.Volumes, func(entry string) bool {
		begin, open := strings.CutSuffix(entry, "*")
		return volume == entry || open && strings.HasPrefix(volume, begin)
	})
}

var networkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (r *reader) networks(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		if text == "host" {
			r.add(entry, text, "the host's network is a namespace of the host", "write host_namespaces: true in its place, if runs may have all of them")
			return "", false
		}
		return text, r.network(entry, text)
	})
}

func (r *reader) network(field, text string) bool {
	ok := networkName.MatchString(text)
	if !ok {
		r.add(field, text, "it is not the name of a network", "write bridge, none, or a name that docker network ls shows")
	}
	return ok
}

// capabilityNames are those of Linux, without CAP_.
var capabilityNames = strings.Fields(`
	AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH
	FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN
	NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT
	SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)

// capabilities gives names as the kernel's without CAP_: docker takes both
// spellings, in any case.
func (r *reader) capabilities(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		name := strings.TrimPrefix(strings.ToUpper(text), "CAP_")
		if name == "ALL" || slices.Contains(capabilityNames, name) {
			return name, true
		}
		mend := "write a name of capabilities(7), as in NET_ADMIN, or ALL"
		if near := nearest(name, capabilityNames); near != "" {
			mend = "did you mean " + near + "?"
		}
		r.add(entry, text, "there is no such capability", mend)
		return "", false
	})
}

// cdiName matches the name of a device that a file of the host describes.
var cdiName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*/[A-Za-z][A-Za-z0-9._-]*=[A-Za-z0-9][A-Za-z0-9._:-]*$`)

func (r *reader) devices(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		if cdiName.MatchString(text) {
			return text, true
		}
		if strings.ContainsRune(text, ':') {
			r.add(entry, text, "the policy names a device of the host, and nothing else", "write the path alone, as in /dev/dri")
			return "", false
		}
		return text, r.fullPath(entry, text)
	})
}

// securityOpts gives each as the engine takes it: name=value.
func (r *reader) securityOpts(field string, written []string) []string {
	return eachOnce(r, field, written, r.securityOpt)
}

const noNewPrivileges = "no-new-privileges"

func (r *reader) securityOpt(field, text string) (opt string, ok bool) {
	name, value, _ := strings.Cut(text, "=")
	if rest, found := strings.CutPrefix(text, noNewPrivileges+":"); found {
		name, value = noNewPrivileges, rest // docker's own documentation writes it so
	}
	switch {
	case name == noNewPrivileges && (value == "" || value == "true"):
		return noNewPrivileges, true
	case name == noNewPrivileges && value == "false":
		return noNewPrivileges + "=false", true
	case (name == "apparmor" || name == "label") && value != "":
		return text, true
	case name == "seccomp" && (value == "unconfined" || value == "builtin" || strings.HasPrefix(value, "{") && json.Valid([]byte(value))):
		return text, true
	case name == "seccomp":
		r.add(field, text, "it is not a seccomp profile", "write seccomp=unconfined, or the JSON of a profile behind seccomp=, not its path")
	default:
		r.add(field, text, "engines know no such security option", "write apparmor=…, label=…, seccomp=… or no-new-privileges")
	}
	return "", false
}

var (
	sysctlName = regexp.MustCompile(`^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$`)
	// ownSysctl matches what a container has of its own: engines set no other.
	ownSysctl = regexp.MustCompile(`^(net\.|fs\.mqueue\.|kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|domainname)$)`)
)

func (r *reader) sysctls(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		switch {
		case strings.Contains(text, "="):
			r.add(entry, text, "the policy names a sysctl, and not its value", "write the name alone, as in net.core.somaxconn")
		case !sysctlName.MatchString(text):
			r.add(entry, text, "it is not the name of a sysctl", "write it as in net.core.somaxconn")
		case !ownSysctl.MatchString(text):
			r.add(entry, text, "it is not one that a container has of its own", "write one that begins with net. or fs.mqueue., or kernel.msg…, kernel.sem or kernel.shm…")
		default:
			return text, true
		}
		return "", false
	})
}

func (p Policy) document() policyDoc {
	return policyDoc{
		Privileged: p.Privileged, HostNamespaces: p.HostNamespaces, BindMounts: p.BindMounts, Volumes: p.Volumes, Networks: p.Networks, CapAdd: p.CapAdd,
		Devices: p.Devices, SecurityOpt: p.SecurityOpt, Sysctls: p.Sysctls, SecretFiles: p.SecretFiles,
	}
}
