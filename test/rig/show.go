package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/prewarm/prewarm/test/fleet"
)

// format is how a rig is shown: "table" for people, "json" for programs.
type format string

// String and Set make it a flag.
func (f *format) String() string { return string(*f) }

// Set refuses what is no format.
func (f *format) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("want table or json")
	}
	*f = format(s)
	return nil
}

// formatOf adds -o to the flags.
func formatOf(flags *flag.FlagSet) *format {
	f := format("table")
	flags.Var(&f, "o", "how to print: table or json")
	return &f
}

func runShow(flags *flag.FlagSet, args []string, dir *string, out io.Writer) error {
	as := formatOf(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	f, err := load(*dir)
	if err != nil {
		return err
	}
	return as.show(out, f)
}

// load finds the rig that is up in a folder.
func load(dir string) (*fleet.Fleet, error) {
	f, err := fleet.Load(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && f.Abandoned() {
		return nil, fmt.Errorf("no rig is up in %s: start one by up --dir %s --detach", dir, dir)
	}
	return f, err
}

// show prints where everything is.
func (f format) show(out io.Writer, rig *fleet.Fleet) error {
	if f == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(shown(rig))
	}
	return table(out, rig)
}

// shownRig is a rig as programs read it. What has no value in it (certificates
// without TLS, ssh without an sshd) is left out.
type shownRig struct {
	Hosts    []shownHost `json:"hosts"`
	Registry string      `json:"registry"` // host:port
	Folder   string      `json:"folder"`
}

type shownHost struct {
	Name    string    `json:"name"`
	Engine  string    `json:"engine"`
	Socket  string    `json:"socket"`                 // unix:///…
	TCP     string    `json:"tcp"`                    // tcp://…
	CertDir string    `json:"certificates,omitempty"` // folder of ca.pem, cert.pem and key.pem
	SSH     *shownSSH `json:"ssh,omitempty"`
}

type shownSSH struct {
	URL        string `json:"url"`
	KeyFile    string `json:"key"`
	KnownHosts string `json:"known_hosts"`
}

func shown(f *fleet.Fleet) shownRig {
	rig := shownRig{Registry: f.Registry.Addr, Folder: f.Dir}
	for _, h := range f.Hosts {
		s := shownHost{Name: h.Name, Engine: h.Engine.String(), Socket: h.Socket, TCP: h.TCP, CertDir: h.CertDir}
		if h.SSH != nil {
			s.SSH = &shownSSH{URL: h.SSH.URL, KeyFile: h.SSH.KeyFile, KnownHosts: h.SSH.KnownHosts}
		}
		rig.Hosts = append(rig.Hosts, s)
	}
	return rig
}

func table(out io.Writer, f *fleet.Fleet) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tENGINE\tSOCKET\tTCP")
	for _, h := range f.Hosts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Name, h.Engine, h.Socket, h.TCP)
	}
	for _, h := range f.Hosts {
		if h.CertDir != "" {
			fmt.Fprintf(w, "\n%s, certificates\t%s\n", h.Name, h.CertDir)
		}
		if h.SSH != nil {
			fmt.Fprintf(w, "\n%s, ssh\t%s\nkey\t%s\nknown hosts\t%s\n", h.Name, h.SSH.URL, h.SSH.KeyFile, h.SSH.KnownHosts)
		}
	}
	fmt.Fprintf(w, "\nregistry\t%s\nfolder\t%s\n", f.Registry.Addr, f.Dir)
	return w.Flush()
}
