package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"strings"
)

// Host is one Docker Engine.
type Host struct {
	Name string
	// Endpoint is unix:///path, tcp://host:port or ssh://user@host, the latter
	// with a port and a socket's path where they are not the usual ones.
	Endpoint string
	// Aliases are other addresses under which callers know the engine.
	Aliases  []string
	Insecure bool     // tcp without TLS
	TLS      *HostTLS // of tcp; else nil
	SSH      *HostSSH // of ssh; else nil
	Labels   map[string]string
	Limits   Limits
	Disk     Disk
	Env      []string // NAME=value, of every container there
	// Binds are folders, absolute, that this host has and others may lack.
	Binds []string
}

// Limits bound what happens on a host at the same time; each is at least 1.
type Limits struct {
	Pulls int
	Runs  int
}

// defaultLimits: extraction, not the network, is most of a pull, so more than
// two get in each other's way; eight runs fit a small machine.
func defaultLimits() Limits { return Limits{Pulls: 2, Runs: 8} }

// known are the hosts so far, over both files. An address leads to one engine:
// addresses are endpoints and aliases.
type known struct{ names, addresses names }

func (r *reader) hosts(docs []hostDoc, seen known) []Host {
	var list []Host
	for i, doc := range docs {
		entry := fmt.Sprintf("hosts[%d]", i)
		r.checkName(seen.names, entry, doc.Name)
		host := Host{
			Name:     doc.Name,
			Endpoint: r.endpoint(entry, doc),
			Insecure: doc.Insecure,
			Labels:   maps.Clone(doc.Labels),
			Limits:   r.limits(entry+".limits", doc.Limits),
			Env:      r.variables(entry+".env", doc.Env),
			Binds:    r.folders(entry+".binds", doc.Binds),
		}
		scheme, _, _ := strings.Cut(host.Endpoint, "://") // empty where it was refused
		host.TLS = r.hostTLS(entry, scheme, doc)
		host.SSH = r.hostSSH(entry, scheme, doc)
		host.Disk = r.disk(entry+".disk", scheme, doc.Disk)
		if first, taken := seen.addresses[host.Endpoint]; taken && host.Endpoint != "" {
			r.add(entry+".endpoint", host.Endpoint, fmt.Sprintf("%s is this engine already", first), "make one entry of the two")
		}
		seen.addresses[host.Endpoint] = entry
		host.Aliases = r.aliases(entry, doc.Aliases, seen.addresses)
		list = append(list, host)
	}
	return list
}

// endpoint checks an engine's address and gives it in one spelling, or "".
func (r *reader) endpoint(entry string, doc hostDoc) string {
	field := entry + ".endpoint"
	refuse := func(why, mend string) string {
		r.add(field, doc.Endpoint, why, mend)
		return ""
	}
	if !r.has(field) {
		return refuse("it is missing", "write one, as in unix:///var/run/docker.sock")
	}
	u, err := url.Parse(doc.Endpoint)
	if err != nil {
		return refuse("it is not an address", mendEndpoint)
	}
	switch u.Scheme {
	case "unix":
		return r.unixEndpoint(u, refuse)
	case "tcp":
		secured := r.has(entry+".tls") || doc.Insecure || r.spoiled[entry+".tls"] || r.spoiled[entry+".insecure"]
		return r.tcpEndpoint(u, secured, refuse)
	case "ssh":
		return r.sshEndpoint(u, refuse)
	case "http", "https", "npipe", "fd":
		return refuse(u.Scheme+" is not supported", mendEndpoint)
	default:
		return refuse("it names no way to reach an engine", mendEndpoint)
	}
}

const mendEndpoint = "write unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host"

func (r *reader) unixEndpoint(u *url.URL, refuse func(why, mend string) string) string {
	if u.Host != "" || !plainPath(u) {
		return refuse("a unix endpoint is an absolute path", "write three slashes, as in unix:///var/run/docker.sock")
	}
	return "unix://" + path.Clean(u.Path)
}

// plainPath tells whether an address has an absolute path, and nothing behind it
// or in it that would be read differently when it is written again.
func plainPath(u *url.URL) bool {
	return path.IsAbs(u.Path) && u.Opaque == "" && u.RawQuery == "" && u.Fragment == "" && u.RawPath == "" && !strings.ContainsAny(u.Path, "?#%\x00")
}

func (r *reader) tcpEndpoint(u *url.URL, secured bool, refuse func(why, mend string) string) string {
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" || !hostName.MatchString(u.Hostname()) || !validPort(u.Port()) || u.Port() == "0":
		return refuse("a tcp endpoint is a host and a port, and nothing else", "write it as in tcp://10.0.0.11:2376")
	case !secured:
		return refuse("plain tcp gives root on that machine to everyone who reaches the port",
			"write tls: {ca: …, cert: …, key: …} beside it, or insecure: true if all of that network is trusted")
	}
	return "tcp://" + net.JoinHostPort(strings.ToLower(u.Hostname()), u.Port())
}

// The usual port and socket of an ssh endpoint are not written.
const (
	usualSSHPort = "22"
	usualSocket  = "/var/run/docker.sock"
)

func (r *reader) sshEndpoint(u *url.URL, refuse func(why, mend string) string) string {
	const example = "write it as in ssh://deploy@10.0.0.11 or ssh://deploy@10.0.0.11:2222/run/user/1000/docker.sock"
	if u.Path == "" || u.Path == "/" {
		u.Path = usualSocket
	}
	if _, ok := u.User.Password(); ok {
		return refuse("ssh takes no password here", "leave it out, and use an agent or ssh: {key_file: …}")
	}
	if u.User.Username() == "" {
		return refuse("it does not say as which user", example)
	}
	wrongPort := strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()) || u.Port() == "0"
	if !hostName.MatchString(u.Hostname()) || wrongPort || !plainPath(u) {
		return refuse("an ssh endpoint is a user and a host, then a port and a socket's path where they are not the usual ones", example)
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != usualSSHPort {
		host += ":" + port
	}
	text := "ssh://" + u.User.String() + "@" + host
	if socket := path.Clean(u.Path); socket != usualSocket {
		text += socket
	}
	return text
}

func (r *reader) limits(field string, doc limitsDoc) Limits {
	limits := defaultLimits()
	const none = "a host that is not to be used is left out"
	r.limit(field+".pulls", doc.Pulls, &limits.Pulls, none)
	r.limit(field+".runs", doc.Runs, &limits.Runs, none)
	return limits
}
