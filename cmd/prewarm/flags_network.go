package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// networkFlags are what the container reaches, and by what it is reached.
type networkFlags struct {
	network                    string
	aliases                    []string
	dns, dnsSearch, dnsOptions []string
	hosts, ports               []string
	ipc, pid                   string
}

func (f *networkFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.network, "network", "", "bridge, none, or the `name` of a network on the hosts")
	flags.StringArrayVar(&f.aliases, "network-alias", nil, "`name` of the container in that network; may be repeated")
	flags.StringArrayVar(&f.dns, "dns", nil, "`address` of a name server; may be repeated")
	flags.StringArrayVar(&f.dnsSearch, "dns-search", nil, "`domain` to look names up in; may be repeated")
	flags.StringArrayVar(&f.dnsOptions, "dns-option", nil, "`option` of the resolver; may be repeated")
	flags.StringArrayVar(&f.hosts, "add-host", nil, "`name:ip` for the container's hosts file; may be repeated")
	flags.StringArrayVarP(&f.ports, "publish", "p", nil, "publish a `port` on the host, as [[ip:]host:]container[/udp]; may be repeated")
	flags.StringVar(&f.ipc, "ipc", "", "whose shared memory is used, by `mode`: none, private, shareable or host")
	flags.StringVar(&f.pid, "pid", "", "`host`: see the processes of the host, where the server's policy allows it")
}

func (f *networkFlags) apply(r *api.SubmitRun) error {
	r.Network, r.Aliases, r.IPC, r.PID = f.network, f.aliases, f.ipc, f.pid
	r.DNS, r.DNSSearch, r.DNSOptions = f.dns, f.dnsSearch, f.dnsOptions
	for _, address := range f.dns {
		if _, err := netip.ParseAddr(address); err != nil {
			return fmt.Errorf("--dns %q: want the IP address of a name server", address)
		}
	}
	if err := oneOf("ipc", f.ipc, "none", "private", "shareable", "host"); err != nil {
		return err
	}
	if f.pid != "" && f.pid != "host" {
		return fmt.Errorf("--pid %q: want host, or leave it out", f.pid)
	}
	for _, word := range f.hosts {
		host, err := readHost(word)
		if err != nil {
			return err
		}
		r.ExtraHosts = append(r.ExtraHosts, host)
	}
	for _, word := range f.ports {
		ports, err := readPorts(word)
		if err != nil {
			return err
		}
		r.Ports = append(r.Ports, ports...)
	}
	return nil
}

// readHost reads name:ip or name=ip; the address may stand in brackets.
func readHost(word string) (string, error) {
	name, address, ok := strings.Cut(word, "=")
	if !ok {
		name, address, ok = strings.Cut(word, ":")
	}
	if strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]") {
		address = address[1 : len(address)-1]
	}
	_, err := netip.ParseAddr(address)
	if !ok || name == "" || strings.Contains(name, ":") || err != nil && address != "host-gateway" {
		return "", fmt.Errorf("--add-host %q: write it as db:10.0.0.5", word)
	}
	return name + ":" + address, nil
}

// maxPort is the highest there is.
const maxPort = 65535

// readPorts reads one of --publish: a port, or a range of them on both sides.
func readPorts(word string) ([]api.Port, error) {
	bad := fmt.Errorf("--publish %q: write it as 8080:80, 127.0.0.1:8080:80/udp, or 80 for any free port of the host", word)
	rest, protocol, given := strings.Cut(word, "/")
	if given && protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return nil, bad
	}
	left, container := "", rest
	if i := strings.LastIndex(rest, ":"); i >= 0 {
		left, container = rest[:i], rest[i+1:]
	}
	ip, host := "", left
	if i := strings.LastIndex(left, ":"); i >= 0 {
		ip, host = strings.TrimSuffix(strings.TrimPrefix(left[:i], "["), "]"), left[i+1:]
		if _, err := netip.ParseAddr(ip); err != nil {
			return nil, bad
		}
	}
	from, to, ok := portRange(container)
	hostFrom, hostTo, hostOK := portRange(host)
	if host == "" {
		hostOK = true // any free one
	}
	if !ok || !hostOK || host != "" && hostTo-hostFrom != to-from {
		return nil, bad
	}
	var ports []api.Port
	for n := range to - from + 1 {
		p := api.Port{Container: from + n, Protocol: protocol, HostIP: ip}
		if host != "" {
			p.Host = hostFrom + n
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// portRange reads 80 or 8000-8010.
func portRange(word string) (from, to int, ok bool) {
	first, last, ranged := strings.Cut(word, "-")
	from, err := strconv.Atoi(first)
	if to = from; err == nil && ranged {
		to, err = strconv.Atoi(last)
	}
	return from, to, err == nil && from > 0 && from <= to && to <= maxPort
}
