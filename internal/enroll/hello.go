package enroll

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// helloWithin bounds one greeting, from the dial to the answer.
	helloWithin = 5 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
)

// answer is what somebody said to a greeting.
type answer struct {
	status int    // of HTTP
	line   string // the status as it came
	engine bool   // it is a Docker Engine's
	server string // what the engine calls itself
}

// hello greets whoever listens at an address as a Docker client would, with TLS
// where there is a configuration for it. The certificates are those that the
// other end showed, if it came to that.
func hello(ctx context.Context, address string, secure *tls.Config) (answer, []*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return answer{}, nil, &unreached{err}
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return answer{}, nil, err
		}
	}
	if secure == nil {
		a, err := ping(conn)
		return a, nil, err
	}
	var shown []*x509.Certificate
	secure = secure.Clone()
	secure.VerifyConnection = func(s tls.ConnectionState) error {
		shown = s.PeerCertificates
		return nil
	}
	// Who is there is for the caller to judge, by what was shown: whether this
	// end is let in is another question, which has to be answered in either case.
	secure.InsecureSkipVerify = true
	a, err := ping(tls.Client(conn, secure))
	return a, shown, err
}

// ping asks for the one thing that every engine tells. A client certificate that
// is refused shows at the answer: TLS 1.3 says it no earlier.
func ping(conn net.Conn) (answer, error) {
	_, failed := io.WriteString(conn, "GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: prewarm\r\nConnection: close\r\n\r\n")
	r := textproto.NewReader(bufio.NewReader(io.LimitReader(conn, maxAnswer)))
	line, err := r.ReadLine()
	if err != nil {
		if isRefusal(err) || failed == nil {
			return answer{}, err
		}
		return answer{}, failed
	}
	version, status, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(status, " ")
	a := answer{line: status}
	if a.status, err = strconv.Atoi(code); err != nil || !strings.HasPrefix(version, "HTTP/") {
		return answer{}, errors.New("what answers does not speak HTTP")
	}
	header, err := r.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return answer{}, err
	}
	a.server = header.Get("Server")
	a.engine = a.status == 200 && (header.Get("Api-Version") != "" || header.Get("Docker-Experimental") != "" || strings.HasPrefix(a.server, "Docker/"))
	return a, nil
}

// unreached is a connection that did not come up.
type unreached struct{ err error }

func (u *unreached) Error() string { return u.err.Error() }
func (u *unreached) Unwrap() error { return u.err }

// isRefusal tells whether the other end said, by an alert of TLS, that it does
// not want us.
func isRefusal(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// hungUp tells whether the other end ended the connection without a word. An
// alert can be lost so: where what we sent comes after its end.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
