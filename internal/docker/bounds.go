package docker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
)

// Limits of what an engine can make us read and keep. A host is not trusted with
// the server's memory, on which all others depend.
const (
	// maxAnswer is a list of some 40,000 containers.
	maxAnswer = 64 << 20
	// maxMessage is the longest message of a stream; an event carries all labels
	// of its container.
	maxMessage = 1 << 20
	// maxLayers is how many layers of a pull are told apart, and maxLayerID how
	// long their short ids are at most.
	maxLayers, maxLayerID = 1000, 128
	// maxSaid is how much of what a command says on a host is read.
	maxSaid = 64 << 10
)

// bounded ends answers that are longer than any that an engine gives.
type bounded struct{ wire http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.wire.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case is(req, http.MethodGet, "/v*/containers/*/logs"), is(req, http.MethodGet, "/v*/containers/*/archive"):
		// Their readers have limits of their own.
	case is(req, http.MethodGet, "/v*/events"), is(req, http.MethodPost, "/v*/images/create"):
		resp.Body = &messages{ReadCloser: resp.Body}
	default:
		resp.Body = &whole{ReadCloser: resp.Body, left: maxAnswer}
	}
	return resp, nil
}

func is(req *http.Request, method, pattern string) bool {
	fits, err := path.Match(pattern, req.URL.Path)
	return req.Method == method && fits && err == nil
}

// errEndless is an answer that no engine gives.
var errEndless = errors.New("the engine's answer is longer than any can be")

// whole ends an answer that is too long.
type whole struct {
	io.ReadCloser
	left int
}

func (w *whole) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if w.left -= n; w.left < 0 {
		return n, fmt.Errorf("%w: it has more than %d MiB", errEndless, maxAnswer>>20)
	}
	return n, err
}

// messages ends a stream of lines where one is too long.
type messages struct {
	io.ReadCloser
	line int // its length so far
}

func (m *messages) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	m.line += n
	if end := bytes.LastIndexByte(b[:n], '\n'); end >= 0 {
		m.line = n - end - 1
	}
	if m.line > maxMessage {
		return n, fmt.Errorf("%w: a message has more than %d KiB", errEndless, maxMessage>>10)
	}
	return n, err
}
