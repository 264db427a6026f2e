package config

import (
	"fmt"
	"path/filepath"
	"reflect"
)

// fleet makes the hosts of the configuration and, behind them, those of the
// file that it names.
func (r *reader) fleet(doc document) (hosts []Host, file string, err error) {
	seen := known{names: make(names), addresses: make(names)}
	hosts = r.hosts(doc.Hosts, seen)
	file, text := r.namedFile("hosts_file", doc.HostsFile, maxFile)
	if file == "" {
		return hosts, "", nil
	}
	// Messages count entries by their own file.
	for _, entries := range []names{seen.names, seen.addresses} {
		for name := range entries {
			entries[name] += " of " + r.position("hosts").file
		}
	}
	other := newReader(r.beside(doc.HostsFile), r.home)
	other.folder = r.folder
	values := other.decode(text, reflect.TypeFor[hostsFileDoc](), "write hosts: [] into it where there is none")
	more, err := unmarshal[hostsFileDoc](values, nil, nil)
	if err != nil {
		return nil, "", err
	}
	hosts = append(hosts, other.hosts(more.Hosts, seen)...)
	r.found = append(r.found, other.found...)
	r.read = append(r.read, other.read...)
	fmt.Fprintf(r.contents, "%x\n", other.sum())
	return hosts, file, nil
}

// beside is how messages name a file that the configuration names: relative to
// the same folder as the configuration's own name.
func (r *reader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.at[""].file), path)
}
