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
	// Endpoint is unix:///path or tcp://host:port; Insecure is set with the latter.
	Endpoint string
	Insecure bool
	Labels   map[string]string
	Limits   Limits
}

// Limits bound what happens on a host at the same time; each is at least 1.
type Limits struct {
	Pulls int
	Runs  int
}

// defaultLimits: extraction, not the network, is most of a pull, so more than
// two get in each other's way; eight runs fit a small machine.
func defaultLimits() Limits { return Limits{Pulls: 2, Runs: 8} }

func (r *reader) hosts(docs []hostDoc) []Host {
	var list []Host
	seen, endpoints := make(names), make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("hosts[%d]", i)
		r.checkName(seen, entry, doc.Name)
		host := Host{
			Name:     doc.Name,
			Endpoint: r.endpoint(entry, doc),
			Insecure: doc.Insecure,
			Labels:   maps.Clone(doc.Labels),
			Limits:   r.limits(entry+".limits", doc.Limits),
		}
		if first, taken := endpoints[host.Endpoint]; taken && host.Endpoint != "" {
			r.add(entry+".endpoint", host.Endpoint, fmt.Sprintf("%s is this engine already", first), "make one entry of the two")
		}
		endpoints[host.Endpoint] = entry
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
		return refuse("it is not an address", "write unix:///var/run/docker.sock or tcp://host:port")
	}
	switch u.Scheme {
	case "unix":
		return r.unixEndpoint(u, refuse)
	case "tcp":
		return r.tcpEndpoint(u, doc.Insecure || r.spoiled[entry+".insecure"], refuse)
	case "ssh":
		return refuse("ssh is not supported yet", "use unix://, or tcp:// with insecure: true in a trusted network")
	case "http", "https", "npipe", "fd":
		return refuse(u.Scheme+" is not supported", "write unix:///var/run/docker.sock or tcp://host:port")
	default:
		return refuse("it names no way to reach an engine", "write unix:///var/run/docker.sock or tcp://host:port")
	}
}

func (r *reader) unixEndpoint(u *url.URL, refuse func(why, mend string) string) string {
	if u.Host != "" || u.Opaque != "" || !path.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "" || u.RawPath != "" || strings.ContainsAny(u.Path, "?#%\x00") {
		return refuse("a unix endpoint is an absolute path", "write three slashes, as in unix:///var/run/docker.sock")
	}
	return "unix://" + path.Clean(u.Path)
}

func (r *reader) tcpEndpoint(u *url.URL, insecure bool, refuse func(why, mend string) string) string {
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" || u.Hostname() == "" || !validPort(u.Port()) || u.Port() == "0":
		return refuse("a tcp endpoint is a host and a port, and nothing else", "write it as in tcp://10.0.0.11:2375")
	case !insecure:
		return refuse("plain tcp gives root on that machine to everyone who reaches the port",
			"write insecure: true beside it if all of that network is trusted, or run Prewarm on the machine and use unix://; TLS comes later")
	}
	return "tcp://" + net.JoinHostPort(strings.ToLower(u.Hostname()), u.Port())
}

func (r *reader) limits(field string, doc limitsDoc) Limits {
	limits := defaultLimits()
	r.limit(field+".pulls", doc.Pulls, &limits.Pulls)
	r.limit(field+".runs", doc.Runs, &limits.Runs)
	return limits
}

// limit takes a limit that is written.
func (r *reader) limit(field string, written int, limit *int) {
	if !r.has(field) {
		return
	}
	if written < 1 {
		r.add(field, fmt.Sprint(written), "a limit is at least 1", "write 1 or more; a host that is not to be used is left out")
	}
	*limit = written
}
