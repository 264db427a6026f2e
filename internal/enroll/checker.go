package enroll

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// The mends that more than one check has.
const (
	mendVerify = "start dockerd with --tlsverify and with --tlscacert, the ca.pem that was made for this host; then systemctl restart docker"
	mendThere  = "check that the engine was restarted with its drop-in (systemctl status docker), and that no firewall stands between"
)

// checker does the checks of one target.
type checker struct {
	Target
	roots *x509.CertPool
	pair  *tls.Certificate // nil: none
}

func newChecker(t Target) (*checker, error) {
	c := &checker{Target: t}
	if c.ServerName == "" {
		c.ServerName = t.Endpoint.Host
	}
	if t.CA != nil {
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(t.CA) {
			return nil, errors.New("no certificate of an authority is there")
		}
	}
	if len(t.Client.Cert) > 0 {
		pair, err := tls.X509KeyPair(t.Client.Cert, t.Client.Key)
		if err != nil {
			return nil, err
		}
		c.pair = &pair
	}
	return c, nil
}

func (c *checker) config(show *tls.Certificate) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if show != nil {
		// It is shown whatever authorities the engine names: a client that keeps
		// back what it takes for useless would prove nothing.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return show, nil }
	}
	return config
}

// ours connects as Prewarm does, and looks at what the engine shows.
func (c *checker) ours(ctx context.Context) []Result {
	a, shown, err := hello(ctx, c.Endpoint.Address(), c.config(c.pair))
	return []Result{c.letsUsIn(a, err), c.certificate(shown)}
}

func (c *checker) letsUsIn(a answer, err error) Result {
	const check = "our certificate"
	var record tls.RecordHeaderError
	switch {
	case err == nil && a.engine:
		return good(check, "an engine answers and takes it: "+cmp.Or(a.server, "it does not say which"))
	case err == nil:
		return bad(check, "what answers is no engine: "+a.line, "correct the endpoint")
	case isRefusal(err):
		return bad(check, "it is refused: "+err.Error(), "copy this host's own ca.pem to the engine and name it as --tlscacert; then systemctl restart docker")
	case errors.As(err, &record):
		return bad(check, "what listens there does not speak TLS", mendVerify)
	default:
		return bad(check, "no engine answers: "+err.Error(), mendThere)
	}
}

// certificate judges what the engine showed, as every client of it does.
func (c *checker) certificate(shown []*x509.Certificate) Result {
	const check = "its certificate"
	const mend = "copy the server-cert.pem and server-key.pem that were made for this host; to have another name in it: prewarm host enroll … --renew --san NAME"
	if len(shown) == 0 {
		return bad(check, "none was seen", mendThere)
	}
	others := x509.NewCertPool()
	for _, i := range shown[1:] {
		others.AddCert(i)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: others, DNSName: c.ServerName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return bad(check, err.Error(), mend)
	}
	return good(check, fmt.Sprintf("it is of our authority, for %s, until %s", c.ServerName, shown[0].NotAfter.UTC().Format(time.DateOnly)))
}

// plain looks for an engine that serves whoever connects.
func (c *checker) plain(ctx context.Context, port string) Result {
	check := "plain tcp, port " + port
	a, _, err := hello(ctx, net.JoinHostPort(c.Endpoint.Host, port), nil)
	var never *unreached
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return bad(check, "it could not be tried: "+err.Error(), "correct the endpoint, or the name service")
	case errors.As(err, &never):
		return good(check, "it is closed")
	case err != nil:
		return good(check, "nothing is answered there without TLS")
	case a.engine:
		return bad(check, "an engine answers without TLS: whoever reaches the port is root on that machine",
			"take -H tcp://…:"+port+" out of dockerd's command line and of daemon.json's hosts, or add --tlsverify; then systemctl restart docker")
	default:
		return good(check, "no engine answers there without TLS ("+a.line+")")
	}
}

// without connects with no certificate.
func (c *checker) without(ctx context.Context) Result {
	a, _, err := hello(ctx, c.Endpoint.Address(), c.config(nil))
	return refusal("no certificate", "a client without one", a, err)
}

// stranger connects with a certificate of an authority that is not ours and
// bears its name.
func (c *checker) stranger(ctx context.Context) Result {
	const check = "a stranger's certificate"
	pair, err := c.forge(time.Now())
	if err != nil {
		return bad(check, "none could be made: "+err.Error(), "try again")
	}
	a, _, err := hello(ctx, c.Endpoint.Address(), c.config(pair))
	return refusal(check, "a client with one", a, err)
}

func (c *checker) forge(now time.Time) (*tls.Certificate, error) {
	var name []byte
	if c.pair != nil {
		name = c.pair.Leaf.RawIssuer
	}
	authority, err := newAuthority(pkix.Name{CommonName: "stranger"}, name, x509.ExtKeyUsageClientAuth, now)
	if err != nil {
		return nil, err
	}
	forged, err := authority.Client("stranger", now, day)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(forged.Cert, forged.Key)
	return &pair, err
}

// refusal is the result of a client that should not be let in.
func refusal(check, who string, a answer, err error) Result {
	var never *unreached
	switch {
	case err == nil && turnsAway(a.status):
		return good(check, who+" is refused ("+a.line+")")
	case err == nil:
		return bad(check, who+" is let in: whoever reaches the port is root on that machine", mendVerify)
	case isRefusal(err):
		return good(check, who+" is refused")
	case errors.As(err, &never):
		return bad(check, "it could not be tried: "+err.Error(), mendThere)
	case hungUp(err):
		return good(check, who+" is hung up on")
	default:
		return bad(check, "it could not be tried: "+err.Error(), mendThere)
	}
}

// turnsAway tells the answers of a proxy that takes any connection and then asks
// for the certificate.
func turnsAway(status int) bool {
	return status == 400 || status == 401 || status == 403
}

func good(check, what string) Result { return Result{Check: check, OK: true, What: what} }

func bad(check, what, mend string) Result { return Result{Check: check, What: what, Mend: mend} }
