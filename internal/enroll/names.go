package enroll

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Names are what an engine is reached by.
type Names struct {
	DNS []string
	IPs []net.IP
}

// String lists them, for people.
func (n Names) String() string { return strings.Join(n.list(), ", ") }

func (n Names) list() []string {
	all := slices.Clone(n.DNS)
	for _, ip := range n.IPs {
		all = append(all, ip.String())
	}
	return all
}

var (
	dnsName  = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$`)
	hostName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`) // as the configuration has it
)

// ParseNames reads names and addresses, each once. What can't stand in a
// certificate is refused.
func ParseNames(written []string) (Names, error) {
	var n Names
	for _, text := range written {
		text = strings.ToLower(text)
		switch ip := net.ParseIP(text); {
		case slices.Contains(n.list(), text) || ip != nil && slices.Contains(n.list(), ip.String()):
		case ip != nil:
			n.IPs = append(n.IPs, ip)
		case dnsName.MatchString(text) && len(text) <= 253:
			n.DNS = append(n.DNS, text)
		default:
			return n, problem.New(problem.InvalidRequest, fmt.Sprintf("put %q into a certificate: it is neither a host name nor an address", text),
				"write it as in etl-1.internal or 10.0.0.11, without a port")
		}
	}
	return n, nil
}

// Endpoint is a tcp endpoint.
type Endpoint struct {
	Host string // a name or an address
	Port string
}

// ParseEndpoint reads tcp://host:port. Other endpoints have no use for
// certificates.
func ParseEndpoint(s string) (Endpoint, error) {
	refuse := func(why, mend string) (Endpoint, error) {
		return Endpoint{}, problem.New(problem.InvalidRequest, fmt.Sprintf("enroll the engine at %q: %s", s, why), mend)
	}
	u, err := url.Parse(s)
	switch {
	case s == "":
		return refuse("where it is reached is not said", "add --endpoint tcp://10.0.0.11:2376")
	case err == nil && (u.Scheme == "unix" || u.Scheme == "ssh"):
		return refuse("an engine that is reached by "+u.Scheme+" needs no certificates", "write the hosts entry at once: docs/engines.md has it")
	case err != nil || u.Scheme != "tcp" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return refuse("it is no tcp endpoint", "write it as in tcp://10.0.0.11:2376")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return refuse("it has no port", "write the port, which is 2376 by custom")
	}
	if _, err := ParseNames([]string{u.Hostname()}); err != nil {
		return refuse("its host is neither a name nor an address", "write it as in tcp://10.0.0.11:2376")
	}
	return Endpoint{Host: strings.ToLower(u.Hostname()), Port: u.Port()}, nil
}

// Address is what to dial.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, e.Port) }

// String is the endpoint as the configuration has it.
func (e Endpoint) String() string { return "tcp://" + e.Address() }

func checkHostName(name string) error {
	if hostName.MatchString(name) {
		return nil
	}
	return problem.New(problem.InvalidRequest, fmt.Sprintf("enroll host %q: a name is 1 to 63 lower-case letters, digits, '.' or '-', and begins with a letter or a digit", name),
		"use the name that the host has in the configuration")
}
