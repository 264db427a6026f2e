package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
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

// path makes a path absolute: relative ones count from the folder of the
// configuration file. It is not ok when the path was refused.
func (r *reader) path(field, path string) (abs string, ok bool) {
	switch {
	case path == "":
		r.add(field, "", "the path is empty", "write one, or leave the key out")
	case strings.HasPrefix(path, "~"):
		r.add(field, path, "~ is a shell's word for a home folder and is not replaced here", "write the path in full")
	case strings.ContainsRune(path, 0):
		r.add(field, path, "a path can't hold a NUL character", "write another path")
	case filepath.IsAbs(path):
		return filepath.Clean(path), true
	default:
		return filepath.Join(r.folder, path), true
	}
	return "", false
}
