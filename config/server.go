package config

import (
	"net"
	"net/netip"
	"strconv"
)

// Server is where the API listens.
type Server struct {
	// Listen is a loopback address with a port; port 0 lets the system choose.
	Listen string
}

// State is what Prewarm keeps between its lives.
type State struct {
	// Path is the folder, absolute. It need not exist yet.
	Path string
}

// server checks the address. Whoever reaches the API can run containers, and
// there are no tokens yet, so only this machine may.
func (r *reader) server(doc serverDoc) Server {
	const field = "server.listen"
	host, port, err := net.SplitHostPort(doc.Listen)
	if err != nil || !validPort(port) {
		r.add(field, doc.Listen, "it is not an address with a port", "write one, as in 127.0.0.1:8470")
		return Server{}
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.IsLoopback()) {
		r.add(field, doc.Listen, "it is not a loopback address, and the API has neither tokens nor TLS yet",
			"write "+net.JoinHostPort("127.0.0.1", port)+", and reach it from elsewhere through an ssh tunnel")
	}
	return Server(doc)
}

// validPort tells whether s is a port number, 0 to 65535, in plain digits.
func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func (r *reader) state(doc stateDoc) State {
	folder, _ := r.path("state.path", doc.Path)
	return State{Path: folder}
}
