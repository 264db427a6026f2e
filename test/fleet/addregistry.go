package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// RegistryOptions says what a further registry is. All may be combined.
type RegistryOptions struct {
	// Name is that of its folder, and stands in errors: "private". It must be
	// new in the fleet.
	Name string
	// TLS makes it speak HTTPS only, with a certificate of the fleet's CAFile.
	// It has a Gate then.
	TLS bool
	// Accounts are users and passwords. None is open to all.
	Accounts map[string]string
	// Tokens makes it ask for tokens, which are had for an account of Accounts
	// and are good for so long, instead of for the account itself. It has a Gate
	// then, and its realm is at the same address: go-containerregistry believes
	// no other private one.
	Tokens time.Duration
	// CacheOf makes it a pull-through cache of that registry: nothing can be
	// pushed to it. A request for a tag always goes upstream, what has a digest
	// only once.
	CacheOf *Registry
	// Gate puts a Gate before it.
	Gate bool
	// Notify is told of each push; nil: nobody is.
	Notify *Notify
}

// Notify is where a registry tells of pushes.
type Notify struct {
	URL           string
	Authorization string // the header of that name
}

// section is that of the registry's configuration. Blobs are no news.
func (n *Notify) section() map[string]any {
	return map[string]any{"endpoints": []any{map[string]any{
		"name": "notify", "url": n.URL, "headers": map[string]any{"Authorization": []string{n.Authorization}},
		"timeout": "1s", "threshold": 5, "backoff": "1s",
		"ignore": map[string]any{"mediatypes": []string{"application/octet-stream"}, "actions": []string{"pull", "mount", "delete"}},
	}}}
}

func (o RegistryOptions) gated() bool { return o.Gate || o.TLS || o.Tokens > 0 }

// registryName keeps names apart from those of hosts, of the fleet's files and
// of other folders.
var registryName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// AddRegistry starts a further registry, which every host reaches without being
// restarted. It ends with the fleet; its Gate also ends with this process.
func (f *Fleet) AddRegistry(ctx context.Context, o RegistryOptions) (*Registry, error) {
	r, err := f.addRegistry(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("add registry %q: %w", o.Name, err)
	}
	return r, nil
}

func (f *Fleet) addRegistry(ctx context.Context, o RegistryOptions) (*Registry, error) {
	f.mu.Lock() // two must not take one port
	defer f.mu.Unlock()
	if err := f.checkRegistry(o); err != nil {
		return nil, err
	}
	addr := bridgeAddr(f.state.Subnet)
	if o.TLS {
		addr = secureAddr(f.state.Subnet)
	}
	port, err := freePort(ctx, addr)
	if err != nil {
		return nil, err
	}
	r := &Registry{Addr: netip.AddrPortFrom(addr, port).String(), Accounts: maps.Clone(o.Accounts)}
	network, listen := "tcp", r.Addr
	if o.gated() {
		network, listen = "unix", filepath.Join(f.Dir, o.Name, "socket")
	}
	r.daemon = registryDaemon(f.state, o.Name, network, listen)
	extra, err := f.registrySections(r, o)
	if err != nil {
		return nil, err
	}
	if err := r.createAt(network, listen, extra); err != nil {
		return nil, err
	}
	if len(o.Accounts) > 0 && o.Tokens == 0 {
		if err := writePasswords(r.passwordFile(), o.Accounts); err != nil {
			return nil, err
		}
	}
	if err := r.Start(ctx); err != nil {
		return nil, err
	}
	if !o.gated() {
		return r, nil
	}
	return r, f.addGate(r, o, addr)
}

func (f *Fleet) checkRegistry(o RegistryOptions) error {
	switch {
	case !registryName.MatchString(o.Name):
		return errors.New("a name has small letters and digits")
	case exists(filepath.Join(f.Dir, o.Name)):
		return errors.New("the name is taken")
	case o.Tokens > 0 && len(o.Accounts) == 0:
		return errors.New("tokens are given for accounts, and there are none")
	case len(filepath.Join(f.Dir, o.Name, "socket")) > maxSocketPath:
		return errors.New("its folder's path is too long for a unix socket; choose a shorter name")
	}
	return nil
}

// registrySections are what the options add to the registry's configuration.
func (f *Fleet) registrySections(r *Registry, o RegistryOptions) (map[string]any, error) {
	sections := map[string]any{}
	if o.Notify != nil {
		sections["notifications"] = o.Notify.section()
	}
	switch {
	case o.Tokens > 0:
		scheme := "http"
		if o.TLS {
			scheme = "https"
		}
		sections["auth"] = map[string]any{"token": map[string]any{
			"realm":          scheme + "://" + r.Addr + tokenPath,
			"service":        r.Addr,
			"issuer":         tokenIssuer,
			"rootcertbundle": f.CAFile(),
		}}
	case len(o.Accounts) > 0:
		sections["auth"] = map[string]any{"htpasswd": map[string]any{"realm": o.Name, "path": r.passwordFile()}}
	}
	if up := o.CacheOf; up != nil {
		user, password := up.account()
		sections["proxy"] = map[string]any{"remoteurl": up.url(), "username": user, "password": password}
	}
	return sections, nil
}

func (r *Registry) passwordFile() string { return filepath.Join(r.daemon.dir, "htpasswd") }

// url is the registry's address with its scheme.
func (r *Registry) url() string {
	if r.CAFile != "" {
		return "https://" + r.Addr
	}
	return "http://" + r.Addr
}

// account is the first of the registry's accounts; none is empty.
func (r *Registry) account() (user, password string) {
	users := slices.Sorted(maps.Keys(r.Accounts))
	if len(users) == 0 {
		return "", ""
	}
	return users[0], r.Accounts[users[0]]
}

// writePasswords writes an htpasswd file. The registry checks a password at
// every request, so it is hashed as cheaply as bcrypt can.
func writePasswords(file string, accounts map[string]string) error {
	var b strings.Builder
	for _, user := range slices.Sorted(maps.Keys(accounts)) {
		hash, err := bcrypt.GenerateFromPassword([]byte(accounts[user]), bcrypt.MinCost)
		if err != nil {
			return fmt.Errorf("hash password of %s: %w", user, err)
		}
		fmt.Fprintf(&b, "%s:%s\n", user, hash)
	}
	return writeFile(file, []byte(b.String()))
}

// addGate starts the registry's gate.
func (f *Fleet) addGate(r *Registry, o RegistryOptions, addr netip.Addr) error {
	g := newGate(r.daemon.dial)
	dir := r.daemon.dir
	if o.TLS {
		r.CAFile = f.CAFile()
		g.certFile, g.keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		server := request{name: o.Name, addrs: []netip.Addr{addr}, usage: x509.ExtKeyUsageServerAuth, life: certificateLife}
		if err := f.state.authority().issue(g.certFile, g.keyFile, server); err != nil {
			return err
		}
	}
	if o.Tokens > 0 {
		tokens, err := newTokens(f.state.authority(), dir, r.Addr, o)
		if err != nil {
			return err
		}
		g.tokens = tokens
	}
	if err := g.start(r.Addr); err != nil {
		return err
	}
	r.Gate = g
	f.gates = append(f.gates, g)
	return nil
}

// closeGates ends what the fleet has in this process.
func (f *Fleet) closeGates() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.gates {
		g.close()
	}
	f.gates = nil
}
