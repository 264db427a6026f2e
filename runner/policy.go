package runner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// check refuses what the policy does not allow.
func (p Policy) check(s Spec) error {
	for _, ask := range []struct {
		wants   bool
		allowed bool
		what    string
		mend    string
	}{
		{s.Privileged, p.Privileged, "privileged", "set runner.policy.privileged"},
		{ofHost(s.Network), p.HostNamespaces, "network " + s.Network, "set runner.policy.host_namespaces"},
		{ofHost(s.PID), p.HostNamespaces, "pid " + s.PID, "set runner.policy.host_namespaces"},
		{ofHost(s.IPC), p.HostNamespaces, "ipc " + s.IPC, "set runner.policy.host_namespaces"},
		{!ofHost(s.Network), len(p.Networks) == 0 || slices.Contains(p.Networks, networkOf(s)), "network " + networkOf(s), "add it to runner.policy.networks"},
	} {
		if ask.wants && !ask.allowed {
			return notAllowed(ask.what, ask.mend)
		}
	}
	if err := p.checkPrivileges(s); err != nil {
		return err
	}
	return p.checkFiles(s)
}

func (p Policy) checkPrivileges(s Spec) error {
	for _, c := range s.CapAdd {
		if !slices.ContainsFunc(p.CapAdd, func(a string) bool { return capability(a) == "ALL" || capability(a) == capability(c) }) {
			return notAllowed("capability "+c, "add it to runner.policy.cap_add")
		}
	}
	for _, o := range s.SecurityOpt {
		if !slices.Contains([]string{"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}, o) && !slices.Contains(p.SecurityOpt, o) {
			return notAllowed("security option "+o, "add it to runner.policy.security_opt")
		}
	}
	for name := range s.Sysctls {
		if !slices.Contains(p.Sysctls, name) {
			return notAllowed("sysctl "+name, "add it to runner.policy.sysctls")
		}
	}
	for _, d := range s.Devices {
		if !below(d.Host, p.Devices) {
			return notAllowed("device "+d.Host, "add it to runner.policy.devices")
		}
	}
	for _, r := range s.DeviceRequests {
		for _, id := range r.IDs {
			if isCDI(r.Driver, id) && !slices.Contains(p.Devices, id) {
				return notAllowed("device "+id, "add it to runner.policy.devices")
			}
		}
	}
	return nil
}

func (p Policy) checkFiles(s Spec) error {
	for _, m := range s.Mounts {
		switch {
		case m.Kind == Bind && !mountable(m.Source, p.BindMounts):
			return notAllowed("bind mount of "+m.Source, "add the folder, or FOLDER/** for all below it, to runner.policy.bind_mounts")
		case m.Kind == Volume && strings.HasPrefix(m.Source, ownVolumes):
			return notAllowed("volume "+m.Source, "names that begin with "+ownVolumes+" are Prewarm's own: use scope_volume for files of a pin scope")
		case m.Kind == Volume && m.Source != "" && !p.mayMount(m.Source):
			return notAllowed("volume "+m.Source, "add its name, or its beginning and *, to runner.policy.volumes")
		}
	}
	for _, e := range s.SecretEnv {
		if e.File != "" && !below(e.File, p.SecretFiles) {
			return notAllowed("secret file "+e.File, "add its folder to runner.policy.secret_files")
		}
	}
	return nil
}

// ownVolumes begins the names of volumes that nobody else may use.
const ownVolumes = "prewarm-"

func notAllowed(what, mend string) error {
	return problem.New(problem.NotAllowed, fmt.Sprintf("the server's policy does not allow %s", what), mend+" in the server's configuration, or leave it out")
}

// isCDI tells a request for any device that a file of the host describes: a GPU
// is asked for by its number or its id.
func isCDI(driver, id string) bool {
	return strings.EqualFold(driver, "cdi") || strings.Contains(id, "=")
}

// networkOf names the network that a container gets: where nothing is said, the
// engine's default.
func networkOf(s Spec) string {
	if s.Network == "" || s.Network == "default" {
		return "bridge"
	}
	return s.Network
}

// ofHost tells a namespace that is not the container's own.
func ofHost(mode string) bool { return mode == "host" || strings.HasPrefix(mode, "container:") }

// mayMount tells whether a volume is one of those that the policy names.
func (p Policy) mayMount(volume string) bool {
	return len(p.Volumes) == 0 || slices.ContainsFunc(p.Volumes, func(entry string) bool {
		begin, open := strings.CutSuffix(entry, "*")
		return volume == entry || open && strings.HasPrefix(volume, begin)
	})
}

// mountable tells whether a folder of a host is listed, or below one that is
// listed with all below it. What is below is not allowed with the folder: a run
// that has it could put a link there, which engines follow, and the next run
// would mount what the link leads to.
func mountable(name string, listed []string) bool {
	return slices.ContainsFunc(listed, func(entry string) bool {
		folder, all := strings.CutSuffix(entry, "/**")
		return all && below(name, []string{folder + "/"}) || !all && path.IsAbs(name) && path.Clean(name) == path.Clean(entry)
	})
}

// below tells whether a path is one of the roots or in one. Links on the host
// are not seen from here.
func below(name string, roots []string) bool {
	if !path.IsAbs(name) {
		return false
	}
	name = path.Clean(name)
	return slices.ContainsFunc(roots, func(root string) bool {
		root = path.Clean(root)
		return root == "/" || name == root || strings.HasPrefix(name, root+"/")
	})
}

// capability writes a capability in one spelling.
func capability(name string) string {
	return strings.TrimPrefix(strings.ToUpper(name), "CAP_")
}
