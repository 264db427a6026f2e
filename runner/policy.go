package runner

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// check refuses what the policy does not allow, by the first of it.
func (p Policy) check(s Spec) error {
	if all := p.objections(s); len(all) > 0 {
		return all[0]
	}
	return nil
}

// objections are all that the server's policy has against a spec.
func (p Policy) objections(s Spec) []error {
	var all []error
	for _, b := range p.breaches(s) {
		all = append(all, notAllowed("the server's policy", b.what, b.mend+" in the server's configuration"))
	}
	return all
}

// objections are all that the caller's token has against a run.
func (a Ask) objections(run Run) []error {
	var all []error
	if err := mayUse(run.Image, a.Images); err != nil && run.Image != "" {
		all = append(all, err) // what a name means is known
	}
	if a.Policy == nil {
		return all
	}
	for _, b := range a.Policy.breaches(run.Spec) {
		all = append(all, notAllowed("the policy of the caller's token", b.what, "use a token that allows it"))
	}
	return all
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

// breach is something that a policy does not allow, and how it would allow it.
type breach struct{ what, mend string }

// breaches gives what the policy does not allow of a spec.
func (p Policy) breaches(s Spec) []breach {
	var all []breach
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
			all = append(all, breach{ask.what, ask.mend})
		}
	}
	return slices.Concat(all, p.privilegeBreaches(s), p.fileBreaches(s))
}

func (p Policy) privilegeBreaches(s Spec) []breach {
	var all []breach
	for _, c := range s.CapAdd {
		if !slices.ContainsFunc(p.CapAdd, func(a string) bool { return capability(a) == "ALL" || capability(a) == capability(c) }) {
			all = append(all, breach{"capability " + c, "add it to runner.policy.cap_add"})
		}
	}
	for _, o := range s.SecurityOpt {
		if !slices.Contains([]string{"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"}, o) && !slices.Contains(p.SecurityOpt, o) {
			all = append(all, breach{"security option " + o, "add it to runner.policy.security_opt"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		if !slices.Contains(p.Sysctls, name) {
			all = append(all, breach{"sysctl " + name, "add it to runner.policy.sysctls"})
		}
	}
	for _, d := range s.Devices {
		if !below(d.Host, p.Devices) {
			all = append(all, breach{"device " + d.Host, "add it to runner.policy.devices"})
		}
	}
	for _, r := range s.DeviceRequests {
		for _, id := range r.IDs {
			if isCDI(r.Driver, id) && !slices.Contains(p.Devices, id) {
				all = append(all, breach{"device " + id, "add it to runner.policy.devices"})
			}
		}
	}
	return all
}

func (p Policy) fileBreaches(s Spec) []breach {
	var all []breach
	for _, m := range s.Mounts {
		switch {
		case m.Kind == Bind && !mountable(m.Source, p.BindMounts):
			all = append(all, breach{"bind mount of " + m.Source, "add the folder, or FOLDER/** for all below it, to runner.policy.bind_mounts"})
		case m.Kind == Volume && strings.HasPrefix(m.Source, ownVolumes):
			all = append(all, breach{"volume " + m.Source, "names that begin with " + ownVolumes + " are Prewarm's own: use scope_volume for files of a pin scope"})
		case m.Kind == Volume && m.Source != "" && !p.mayMount(m.Source):
			all = append(all, breach{"volume " + m.Source, "add its name, or its beginning and *, to runner.policy.volumes"})
		}
	}
	for _, e := range s.SecretEnv {
		if e.File != "" && !below(e.File, p.SecretFiles) {
			all = append(all, breach{"secret file " + e.File, "add its folder to runner.policy.secret_files"})
		}
	}
	return all
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
