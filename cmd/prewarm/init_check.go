package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
)

// standardListen is where the API listens when nothing else is said.
const standardListen = "127.0.0.1:8470"

// refuse asks the loader itself about one value, by the variable of its key: what
// it would refuse in the file is refused at the question. beside are other
// variables, of what the value needs.
func refuse(what, variable string, value any, beside ...string) error {
	text, ok := value.(string)
	if !ok {
		b, err := json.Marshal(value)
		if err != nil {
			return err
		}
		text = string(b)
	}
	_, err := config.Load("", append(beside, variable+"="+text))
	var mistakes config.Mistakes
	if !errors.As(err, &mistakes) {
		return err
	}
	first := mistakes[0]
	if first.Value != "" && !strings.Contains(what, first.Value) { // what follows from the value, as a file
		what += ": " + first.Value
	}
	return problem.New(problem.InvalidRequest, what+": "+first.Why, first.Mend)
}

// listen takes the API's address.
func (p *firstPlan) listen(text string) error {
	what := fmt.Sprintf("listen %q", text)
	if err := refuse(what, "PREWARM_SERVER_LISTEN", text); err != nil {
		var said *problem.Error
		if errors.As(err, &said) && strings.Contains(said.Mend, "insecure") {
			said.Mend = "begin with " + standardListen + "; the file that is written shows where a certificate goes"
		}
		return err
	}
	if _, port, err := net.SplitHostPort(text); err != nil || port == "0" {
		return problem.New(problem.InvalidRequest, what+": the system would choose a port, and nobody would know it", "write one, as in "+standardListen)
	}
	p.Listen = text
	return nil
}

// host takes NAME=ENDPOINT, or an endpoint alone.
func (p *firstPlan) host(text string) error {
	h := firstHost{Name: "local", Endpoint: text}
	if name, endpoint, ok := strings.Cut(text, "="); ok && !strings.Contains(name, "://") {
		h = firstHost{Name: name, Endpoint: endpoint}
	}
	what := fmt.Sprintf("host %q", text)
	if strings.HasPrefix(h.Endpoint, "tcp://") {
		var err error
		if h.TLS, err = p.certificates(what, h); err != nil {
			return err
		}
	}
	all := slices.Concat(p.Hosts, []firstHost{h})
	if err := refuse(what, "PREWARM_HOSTS", all); err != nil {
		return err
	}
	p.Hosts = all
	return nil
}

// certificates are those for an engine behind tcp: in the folder of prewarm host
// enroll, or in one that Docker's own command line takes.
func (p *firstPlan) certificates(what string, h firstHost) (*firstTLS, error) {
	if p.Certificates == "" {
		return nil, problem.New(problem.InvalidRequest, what+": an engine behind tcp needs certificates",
			fmt.Sprintf("name their folder by --tls, or begin with an engine of this machine; prewarm host enroll %s --endpoint %s makes them", h.Name, h.Endpoint))
	}
	dir, err := filepath.Abs(p.Certificates) // in the file it would count from the file's folder
	if err != nil {
		return nil, fmt.Errorf("find the folder of the certificates: %w", err)
	}
	own := filepath.Join(dir, "hosts", h.Name)
	if _, err := os.Stat(own); err != nil {
		own = dir
	}
	return &firstTLS{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(own, "cert.pem"), Key: filepath.Join(own, "key.pem")}, nil
}

// image takes NAME=REF, or a ref alone.
func (p *firstPlan) image(text string) error {
	what := fmt.Sprintf("image %q", text)
	named, err := app.NameImage(text)
	if err != nil {
		return err
	}
	all := slices.Concat(p.Images, []firstImage{{NamedImage: named}})
	type track struct {
		Tag string `json:"tag"`
	}
	type entry struct {
		Name       string `json:"name"`
		Repository string `json:"repository"`
		Track      track  `json:"track"`
	}
	var entries []entry
	for _, i := range all {
		entries = append(entries, entry{i.Name, i.Repository, track{i.Tag}})
	}
	if err := refuse(what, "PREWARM_IMAGES", entries, "PREWARM_HOSTS=[{name: some, endpoint: 'unix:///run/some.sock'}]"); err != nil {
		return err
	}
	p.Images = all
	return nil
}

// state takes the folder, or chooses one that its user may make.
func (p *firstPlan) state(text string) error {
	if text == "" && os.Geteuid() == 0 {
		text = config.Default().State.Path
	}
	if text == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return problem.Wrap(problem.InvalidRequest, err, "find a folder for the state", "name one by --state")
		}
		text = filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local/state")), "prewarm")
	}
	if err := refuse(fmt.Sprintf("state %q", text), "PREWARM_STATE_PATH", text); err != nil {
		return err
	}
	path, err := filepath.Abs(text) // in the file it would count from the file's folder
	if err != nil {
		return fmt.Errorf("find the folder of the state: %w", err)
	}
	p.State = path
	return nil
}
