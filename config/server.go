package config

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Server is where the API listens, and how.
type Server struct {
	// Listen is an address with a port; port 0 lets the system choose.
	Listen string
	// PublicURL is how people reach the API, for links; without a slash at the end.
	PublicURL string
	TLS       *ServerTLS // nil: plain HTTP
	// Insecure allows plain HTTP beyond this machine.
	Insecure bool
	// LinkLife is how long a link opens the log of a run to whoever has it; 0:
	// links ask for a token.
	LinkLife time.Duration
	Limits   ServerLimits
}

// ServerTLS are the certificates of the API. Its files are read again when they
// change.
type ServerTLS struct {
	Cert, Key string // absolute paths of PEM files
	ClientCA  string // callers with a certificate of it are known by its common name; empty: none are
}

// ServerLimits bound what one caller takes.
type ServerLimits struct {
	Rate      float64 // requests of one caller in a second
	Followers int     // logs, events and ends of runs that one caller follows at once
}

// State is what Prewarm keeps between its lives.
type State struct {
	// Path is the folder, absolute. It need not exist yet.
	Path string
	// Keep is how long it is remembered what was done: by whom, and why.
	Keep time.Duration
}

// defaultState: a quarter is what people look back over.
func defaultState() State { return State{Path: defaultFolder, Keep: 90 * 24 * time.Hour} }

// defaultServer: fifty requests a second are what a busy Airflow asks, which
// follows some hundred logs by one token. A week is how long people come back to
// what they were told.
func defaultServer() Server {
	return Server{Listen: defaultListen, LinkLife: 7 * 24 * time.Hour, Limits: ServerLimits{Rate: 50, Followers: 500}}
}

func (r *reader) server(doc serverDoc) Server {
	const field = "server"
	server := defaultServer()
	server.Listen = doc.Listen
	server.PublicURL = r.publicURL(field+".public_url", doc.PublicURL)
	server.TLS = r.serverTLS(field+".tls", doc.TLS)
	server.Insecure = doc.Insecure
	server.LinkLife = r.linkLife(field+".link_life", doc.LinkLife, server.LinkLife)
	if r.has(field + ".limits.rate") {
		server.Limits.Rate = r.rate(field+".limits.rate", doc.Limits.Rate)
	}
	r.limit(field+".limits.followers", doc.Limits.Followers, &server.Limits.Followers, "500 is usual")
	if server.TLS != nil && doc.Insecure {
		r.add(field+".insecure", "true", "tls and insecure stand together", "keep one of the two")
	}
	r.checkListen(field+".listen", server)
	return server
}

// checkListen checks the address. A token that is sent to another machine in
// clear text is everybody's.
func (r *reader) checkListen(field string, server Server) {
	host, port, err := net.SplitHostPort(server.Listen)
	if err != nil || !validPort(port) || host != "" && !hostName.MatchString(host) {
		r.add(field, server.Listen, "it is not an address with a port", "write one, as in 127.0.0.1:8470")
		return
	}
	ip, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && ip.IsLoopback()
	if loopback || server.TLS != nil || server.Insecure || r.spoiled["server.tls"] || r.spoiled["server.insecure"] {
		return
	}
	r.add(field, server.Listen, "it is not a loopback address, and without TLS whoever is in between reads the tokens",
		"add server.tls with cert and key, write insecure: true if a proxy before it has TLS, or listen on "+net.JoinHostPort("127.0.0.1", port))
}

// validPort tells whether s is a port number, 0 to 65535, in plain digits.
func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func (r *reader) publicURL(field, text string) string {
	const example = "write it as in https://prewarm.example.com or https://example.com/prewarm"
	if !r.has(field) {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || !validHost(u):
		r.add(field, text, "it is not the address of a server", example)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		r.add(field, text, "links are made by adding to it, and it has more than a host and a path", example)
	case path.Clean("/"+u.Path) != "/"+strings.Trim(u.Path, "/") || strings.HasSuffix(u.Path, "//"):
		r.add(field, text, "it is not the shortest spelling of the path", example)
	default:
		return strings.TrimRight(text, "/")
	}
	return ""
}

// mostLinkLife bounds what nobody can take back one by one.
const mostLinkLife = 365 * 24 * time.Hour

func (r *reader) linkLife(field, text string, standard time.Duration) time.Duration {
	life := r.duration(field, text, standard, 0)
	if life > mostLinkLife {
		r.add(field, text, "nobody remembers who has such a link", "write "+durationText(mostLinkLife)+" or less, or 0s for links that ask for a token")
	}
	return life
}

// validHost tells whether a URL has a host, and no port that can't be.
func validHost(u *url.URL) bool {
	return hostName.MatchString(u.Hostname()) && !strings.HasSuffix(u.Host, ":") && (u.Port() == "" || validPort(u.Port()) && u.Port() != "0")
}

func (r *reader) serverTLS(field string, doc serverTLSDoc) *ServerTLS {
	cert, key, ca := field+".cert", field+".key", field+".client_ca"
	switch {
	case !r.has(field) && !r.has(cert) && !r.has(key) && !r.has(ca): // the environment sets them one by one
		return nil
	case r.spoiledWithin(field):
		return &ServerTLS{}
	case !r.has(cert) && !r.has(key):
		r.add(field, "", "a server has a certificate", "add cert and key, or leave tls out")
	}
	t := ServerTLS{ClientCA: r.caFile(ca, doc.ClientCA)}
	var leaf *x509.Certificate
	t.Cert, t.Key, leaf = r.certFiles(cert, doc.Cert, key, doc.Key)
	if leaf != nil {
		r.checkServing(cert, doc.Cert, leaf)
	}
	return &t
}

// checkServing reports a certificate that no caller would take.
func (r *reader) checkServing(field, written string, leaf *x509.Certificate) {
	usages := leaf.ExtKeyUsage
	switch {
	case time.Now().After(leaf.NotAfter):
		r.add(field, written, "the certificate expired on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it")
	case len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0:
		r.add(field, written, "the certificate has no name of a server", "make one with the server's name or address as its subjectAltName")
	case len(usages) > 0 && !slices.Contains(usages, x509.ExtKeyUsageServerAuth) && !slices.Contains(usages, x509.ExtKeyUsageAny):
		r.add(field, written, "the certificate is not for a server", "make one whose extended key usage is serverAuth, or that has none")
	}
}

func (r *reader) state(doc stateDoc) State {
	folder, _ := r.path("state.path", doc.Path)
	return State{Path: folder, Keep: r.duration("state.keep", doc.Keep, defaultState().Keep, time.Second)}
}

func (s Server) document() serverDoc {
	doc := serverDoc{
		Listen: s.Listen, PublicURL: s.PublicURL, Insecure: s.Insecure, LinkLife: durationText(s.LinkLife),
		Limits: serverLimitsDoc{Rate: rateText(s.Limits.Rate), Followers: s.Limits.Followers},
	}
	if s.TLS != nil {
		doc.TLS = serverTLSDoc(*s.TLS)
	}
	return doc
}
