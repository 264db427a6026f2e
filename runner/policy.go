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
	if what, mend := p.forbids(s); what != "" {
		return notAllowed("the server's policy", what, mend+" in the server's configuration")
	}
	return nil
}

// permits refuses what the caller's token does not allow.
func (a Ask) permits(run Run) error {
	if err := mayUse(run.Image, a.Images); err != nil {
		return err
	}
	if a.Policy == nil {
		return nil
	}
	if what, _ := a.Policy.forbids(run.Spec); what != "" {
		return notAllowed("the policy of the caller's token", what, "use a token that allows it")
	}
	return nil
}

// mayUse refuses an image that is not one of those that the caller's token is for.
// It is asked of what a name resolves to: a ref may begin as the name of another
// image does.
func mayUse(image string, allowed []string) error {
	if matches(image, allowed) {
		return nil
	}
	return problem.New(problem.NotAllowed, fmt.Sprintf("the caller's token does not allow image %s: it may run %s", image, strings.Join(allowed, ", ")),
		"run one of these, or use another token")
}

// matches tells whether a name is one of the patterns; none let every name pass.
func matches(name string, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// forbids gives what the policy does not allow of a spec, and how it would allow
// it; empty: it allows all.
func (p Policy) forbids(s Spec) (what, mend string) {
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
			return ask.what, ask.mend
		}
	}
	if what, mend := p.forbidsPrivilege(s); what != "" {
		return what, mend
	}
	return p.forbidsFile(s)
}

func (p Policy) forbidsPrivilege(s Spec) (what, mend string) {
	for _, c := range s.CapAdd {
		if !slices.ContainsFunc(p.CapAdd, func(a string) bool { return capability(a) == "ALL" || capability(a) == capability(c) }) {
			return "capability " + c, "add it to runner.policy.cap_add"
		}
	}
	for _, o := range s.SecurityOpt {
		if !slices.Contains([]string{"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}, o) && !slices.Contains(p.SecurityOpt, o) {
			return "security option " + o, "add it to runner.policy.security_opt"
		}
	}
	for name := range s.Sysctls {
		if !slices.Contains(p.Sysctls, name) {
			return "sysctl " + name, "add it to runner.policy.sysctls"
		}
	}
	for _, d := range s.Devices {
		if !below(d.Host, p.Devices) {
			return "device " + d.Host, "add it to runner.policy.devices"
		}
	}
	for _, r := range s.DeviceRequests {
		for _, id := range r.IDs {
			if isCDI(r.Driver, id) && !slices.Contains(p.Devices, id) {
				return "device " + id, "add it to runner.policy.devices"
			}
		}
	}
	return "", ""
}

func (p Policy) forbidsFile(s Spec) (what, mend string) {
	for _, m := range s.Mounts {
		switch {
		case m.Kind == Bind && !mountable(m.Source, p.BindMounts):
			return "bind mount of " + m.Source, "add the folder, or FOLDER/** for all below it, to runner.policy.bind_mounts"
		case m.Kind == Volume && strings.HasPrefix(m.Source, ownVolumes):
			return "volume " + m.Source, "names that begin with " + ownVolumes + " are Prewarm's own: use scope_volume for files of a pin scope"
		case m.Kind == Volume && m.Source != "" && !p.mayMount(m.Source):
			return "volume " + m.Source, "add its name, or its beginning and *, to runner.policy.volumes"
		}
	}
	for _, e := range s.SecretEnv {
		if e.File != "" && !below(e.File, p.SecretFiles) {
			return "secret file " + e.File, "add its folder to runner.policy.secret_files"
		}
	}
	return "", ""
}

// ownVolumes begins the names of volumes that nobody else may use.
const ownVolumes = "prewarm-"

func notAllowed(who, what, mend string) error {
	return problem.New(problem.NotAllowed, fmt.Sprintf("%s does not allow %s", who, what), mend+", or leave it out")
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
