package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// accessFlags say how the server is reached, and who calls it. A token is never
// among them: everybody on a machine can read command lines.
type accessFlags struct {
	server                               *pflag.Flag
	tokenFile, caFile, certFile, keyFile string
	insecure                             bool
}

func (f *accessFlags) declare(flags *pflag.FlagSet, server *string) {
	flags.StringVar(server, "server", cmp.Or(os.Getenv("PREWARM_URL"), defaultServer), "`URL` of the server, also by PREWARM_URL")
	f.server = flags.Lookup("server")
	flags.StringVar(&f.tokenFile, "token-file", "", "`file` with the token to call with; also by PREWARM_TOKEN_FILE, or PREWARM_TOKEN for the token itself")
	flags.StringVar(&f.caFile, "ca-file", "", "`file` with the authority of the server's certificate, also by PREWARM_CA_FILE; the system's when left out")
	flags.StringVar(&f.certFile, "cert-file", "", "`file` with a client certificate, also by PREWARM_CERT_FILE")
	flags.StringVar(&f.keyFile, "key-file", "", "`file` with the key of the client certificate, also by PREWARM_KEY_FILE")
	flags.BoolVar(&f.insecure, "insecure", false, "send the token without TLS beyond this machine, too; also by PREWARM_INSECURE=1")
}

// client is the server's. Verbs that call it have seen that there is one.
func (c *cli) client() *api.Client {
	client, err := c.connect()
	if err != nil { // completions come here unseen, and do without
		return &api.Client{URL: c.server}
	}
	return client
}

// connect finds out once where the server is and who calls it.
func (c *cli) connect() (*api.Client, error) {
	c.joined.Do(func() { c.found, c.lost = c.access.client(c.server) })
	return c.found, c.lost
}

func (f *accessFlags) client(server string) (*api.Client, error) {
	// A connection of Airflow counts as a whole: its password is for its host.
	conn := airflowConnection{url: server}
	if text := os.Getenv(connectionVariable); text != "" && os.Getenv("PREWARM_URL") == "" && f.server != nil && !f.server.Changed {
		var err error
		if conn, err = parseConnection(text); err != nil {
			return nil, err
		}
	}
	token, err := f.token(conn.token)
	if err != nil {
		return nil, err
	}
	client := &api.Client{URL: conn.url, Token: token, Insecure: f.insecure || truth(os.Getenv("PREWARM_INSECURE"))}
	files := api.TLSFiles{
		CA:   cmp.Or(f.caFile, os.Getenv("PREWARM_CA_FILE"), conn.ca),
		Cert: cmp.Or(f.certFile, os.Getenv("PREWARM_CERT_FILE"), conn.cert),
		Key:  cmp.Or(f.keyFile, os.Getenv("PREWARM_KEY_FILE"), conn.key),
	}
	if err := checkAddress(conn.url); err != nil {
		return nil, err
	}
	if files == (api.TLSFiles{}) {
		return client, nil
	}
	return client, client.UseTLS(files)
}

// checkAddress refuses what is no URL of a server. What may hold a password is
// not repeated.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "@"): // also where nobody can say what is what
		return errors.New("the server's address names a user: say who you are with PREWARM_TOKEN or PREWARM_TOKEN_FILE instead")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the server's address %q is no URL: write it as %s", address, defaultServer)
	}
	return nil
}

// token is what to call with: the nearest that was said.
func (f *accessFlags) token(ofConnection string) (string, error) {
	file := f.tokenFile
	if file == "" {
		if token := strings.TrimSpace(os.Getenv("PREWARM_TOKEN")); token != "" {
			return token, checkToken("PREWARM_TOKEN", token)
		}
		file = os.Getenv("PREWARM_TOKEN_FILE")
	}
	if file == "" {
		return ofConnection, checkToken(connectionVariable, ofConnection)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("read the token: %s is empty", file)
	}
	return token, checkToken(file, token)
}

// checkToken refuses what can't be sent. It is not repeated.
func checkToken(where, token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("what is in %s is no token: it has characters that no token has", where)
	}
	return nil
}

func truth(word string) bool {
	switch strings.ToLower(word) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}
