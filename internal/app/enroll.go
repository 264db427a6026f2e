package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/enroll"
	"github.com/prewarm/prewarm/internal/problem"
)

// EnrollOptions say which engine is to be opened to Prewarm.
type EnrollOptions struct {
	Name     string // the host's in the configuration
	Endpoint string // tcp://host:port
	Dir      string // where the certificates are, or go
	// Names are what the engine is reached by beside the endpoint's host.
	Names []string
	Days  int  // how long the certificates are good
	Renew bool // make new ones in place of those that are there
	Keep  bool // use those that are there, if there are any
}

// Enrolled is a host that has certificates, and where they are.
type Enrolled struct {
	Name        string    `json:"name"`
	Endpoint    string    `json:"endpoint"`
	Port        string    `json:"port"`
	CA          string    `json:"ca"`   // who signed the engine's certificate
	Cert        string    `json:"cert"` // Prewarm's
	Key         string    `json:"key"`
	EngineDir   string    `json:"engine_dir"`   // what goes to the host
	EngineFiles []string  `json:"engine_files"` // in it
	Names       string    `json:"names"`        // what the engine's certificate is for
	Until       time.Time `json:"until"`        // when the first of the two ends
	Made        bool      `json:"made"`         // by this call
}

// CADir is where the certificates are that were made without another word.
func CADir(c *config.Config) string { return filepath.Join(c.State.Path, "ca") }

// Enroll makes what an engine needs to let in Prewarm and nobody else. It asks
// nobody, and needs no server.
func Enroll(o EnrollOptions) (Enrolled, error) {
	at, err := enroll.ParseEndpoint(o.Endpoint)
	if err != nil {
		return Enrolled{}, err
	}
	names, err := enroll.ParseNames(append([]string{at.Host}, o.Names...))
	if err != nil {
		return Enrolled{}, err
	}
	folder := enroll.Folder{Dir: o.Dir}
	request := enroll.Request{Name: o.Name, Names: names, Life: time.Duration(o.Days) * 24 * time.Hour, Now: time.Now()}
	made := true
	var host enroll.Host
	switch {
	case o.Renew:
		host, err = folder.Renew(request)
	case o.Keep && folder.Has(o.Name):
		host, made = folder.Host(o.Name), false
	default:
		host, err = folder.Enroll(request)
	}
	if err != nil {
		return Enrolled{}, err
	}
	return enrolled(host, at, made)
}

// enrolled reads what is there, so that what is told is what the files say.
func enrolled(h enroll.Host, at enroll.Endpoint, made bool) (Enrolled, error) {
	e := Enrolled{
		Name: h.Name, Endpoint: at.String(), Port: at.Port, CA: h.CA, Cert: h.Cert(), Key: h.Key(),
		EngineDir: h.EngineDir(), EngineFiles: enroll.EngineFiles(), Made: made,
	}
	server, err := enroll.ReadCertificates(h.ServerCert())
	if err != nil {
		return e, unreadable(err)
	}
	client, err := enroll.ReadCertificates(h.Cert())
	if err != nil {
		return e, unreadable(err)
	}
	e.Names = enroll.Names{DNS: server[0].DNSNames, IPs: server[0].IPAddresses}.String()
	e.Until = server[0].NotAfter
	if client[0].NotAfter.Before(e.Until) {
		e.Until = client[0].NotAfter
	}
	return e, nil
}

func unreadable(err error) error {
	return problem.Wrap(problem.InvalidRequest, err, "read the certificates of the host", "run this as the user that prewarm serve runs as, and say by --dir where they are")
}

// CheckEnrolled checks, with certificates that Enroll made, that an engine lets
// in Prewarm and nobody else; until it does so, or wait is over.
func CheckEnrolled(ctx context.Context, name, endpoint, dir string, wait time.Duration) ([]Finding, error) {
	at, err := enroll.ParseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	folder := enroll.Folder{Dir: dir}
	if !folder.Has(name) {
		return nil, problem.New(problem.InvalidRequest, fmt.Sprintf("check host %s: it has no certificates in %s", name, dir),
			"make them: prewarm host enroll "+name+" --endpoint "+endpoint+"; or say by --dir where they are")
	}
	h := folder.Host(name)
	return checkPort(ctx, config.Host{Name: name, Endpoint: at.String(), TLS: &config.HostTLS{CA: h.CA, Cert: h.Cert(), Key: h.Key()}}, at, wait)
}

// CheckHost checks a host of the configuration so.
func CheckHost(ctx context.Context, c *config.Config, name string, wait time.Duration) ([]Finding, error) {
	i := slices.IndexFunc(c.Hosts, func(h config.Host) bool { return h.Name == name })
	if i < 0 {
		return nil, problem.New(problem.HostNotManaged, "check host "+name+": the configuration has no host of that name", "say by --endpoint where its engine is")
	}
	h := c.Hosts[i]
	at, err := enroll.ParseEndpoint(h.Endpoint)
	if err != nil {
		return nil, problem.New(problem.InvalidRequest, "check host "+name+": "+h.Endpoint+" is no tcp endpoint, so there is no port to be checked",
			"prewarm doctor examines it")
	}
	if h.TLS == nil {
		return nil, problem.New(problem.InvalidRequest, "check host "+name+": it is insecure: true in the configuration, and open to everyone who reaches its port",
			"give it certificates: prewarm host enroll "+name+" --endpoint "+h.Endpoint)
	}
	return checkPort(ctx, h, at, wait)
}

func checkPort(ctx context.Context, h config.Host, at enroll.Endpoint, wait time.Duration) ([]Finding, error) {
	target := enroll.Target{Endpoint: at, ServerName: h.TLS.ServerName}
	var err error
	for _, file := range []struct {
		path string
		into *[]byte
	}{{h.TLS.CA, &target.CA}, {h.TLS.Cert, &target.Client.Cert}, {h.TLS.Key, &target.Client.Key}} {
		if file.path == "" || err != nil {
			continue
		}
		*file.into, err = os.ReadFile(file.path)
	}
	if err != nil {
		return nil, unreadable(err)
	}
	results, err := enroll.Await(ctx, target, wait)
	if err != nil {
		return nil, err
	}
	found := &chart{about: "host " + h.Name}
	for _, r := range results {
		level := Good
		if !r.OK {
			level = Failure
		}
		found.add(level, r.Check, r.What, r.Mend)
	}
	return found.findings, nil
}
