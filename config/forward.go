package config

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

// Forward is where lines of runs go as they come, each as one JSON object.
type Forward struct {
	To      Target
	Path    string // of a file, absolute; else empty
	Address string // of a syslog: udp://host:port, tcp://host:port or unix:///path; else empty
}

// Target is a kind of place for lines.
type Target string

// The targets.
const (
	ToFile   Target = "file"
	ToStdout Target = "stdout" // of the server
	ToSyslog Target = "syslog"
)

func (r *reader) forwards(field string, docs []forwardDoc) []Forward {
	var list []Forward
	seen := make(map[Forward]string)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", field, i)
		if r.spoiledWithin(entry) {
			continue
		}
		before := len(r.found)
		forward := r.forward(entry, doc)
		if first, taken := seen[forward]; taken && len(r.found) == before {
			r.add(entry, "", first+" forwards to the same place", "keep one of the two")
		}
		seen[forward] = entry
		list = append(list, forward)
	}
	return list
}

func (r *reader) forward(entry string, doc forwardDoc) Forward {
	to, file, address := Target(doc.To), entry+".path", entry+".address"
	forward := Forward{To: to}
	switch {
	case !r.has(entry + ".to"):
		r.add(entry+".to", "", "it is missing", "write file, stdout or syslog")
		return forward
	case to != ToFile && to != ToStdout && to != ToSyslog:
		r.add(entry+".to", doc.To, "lines can't be forwarded there", "write file, stdout or syslog")
		return forward
	case to != ToFile && r.has(file):
		r.add(file, doc.Path, fmt.Sprintf("%s has no path", to), "leave it out, or write to: file")
	case to != ToSyslog && r.has(address):
		r.add(address, doc.Address, fmt.Sprintf("%s has no address", to), "leave it out, or write to: syslog")
	case to == ToFile && !r.has(file):
		r.add(file, "", "it is missing", "write the path of the file that lines are appended to")
	case to == ToFile:
		forward.Path, _ = r.path(file, doc.Path)
	case to == ToSyslog:
		forward.Address = r.syslog(address, doc.Address)
	}
	return forward
}

// syslog checks a syslog's address and gives it in one spelling, or "".
func (r *reader) syslog(field, text string) string {
	const example = "write unix:///dev/log, udp://127.0.0.1:514 or tcp://logs.internal:601"
	if !r.has(field) {
		r.add(field, "", "it is missing", example)
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
	case u.Scheme == "unix" && u.Host == "" && plainPath(u) && path.Clean(u.Path) != "/":
		return "unix://" + path.Clean(u.Path)
	case u.Scheme != "udp" && u.Scheme != "tcp":
	case u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && hostName.MatchString(u.Hostname()) && validPort(u.Port()) && u.Port() != "0":
		return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), u.Port())
	}
	r.add(field, text, "it is not the address of a syslog", example)
	return ""
}
