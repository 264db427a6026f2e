package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// reachLimit is how long an engine may try. Where packets to a registry are
// dropped, or a name server is silent, it would try for a minute or more.
const reachLimit = 20 * time.Second

// ReachRegistry has the engine itself ask ref's registry, with our credentials:
// that we reach a registry says nothing of a host behind another firewall, with
// another list of authorities. A registry that does not have ref is reached.
//
// It ends with problem.RegistryUnavailable where the way there fails (name,
// connection, certificate, TLS where none is spoken), RegistryAuth,
// RegistryLimited, HostUnreachable or EngineAPI.
func (h *Host) ReachRegistry(ctx context.Context, ref registry.Ref) error {
	auth, err := h.auth(ctx, ref.Repository())
	if err != nil {
		return err
	}
	what := "reach registry " + ref.Repository().Host()
	err = h.call(ctx, 2*reachLimit, what, func(ctx context.Context, s *session) error {
		asking, cancel := context.WithTimeout(ctx, reachLimit)
		defer cancel()
		_, err := s.api.DistributionInspect(asking, ref.String(), auth)
		// The engine waits for the registry: its silence is not yet its own.
		if asking.Err() != nil && ctx.Err() == nil && h.Confirm(ctx) == nil {
			return problem.New(problem.RegistryUnavailable, fmt.Sprintf("%s from host %s: no answer within %s", what, h.name, reachLimit), mendRegistry)
		}
		return err
	})
	if err == nil || problem.CodeOf(err) != problem.EngineAPI {
		return err
	}
	said := problem.From(err).Err
	found := classify(said, nil, anonymous(said.Error(), ref.Repository()))
	switch found.code {
	case problem.TagNotFound:
		return nil
	case problem.EngineAPI:
		return err // it says nothing that we know
	}
	return problem.Wrap(found.code, said, fmt.Sprintf("%s from host %s: %s", what, h.name, found.means), found.mend)
}

// AnswersAnyone tells whether the engine serves whoever reaches its port:
// without TLS always, with TLS when it asks for no client certificate. For a
// unix socket and for ssh it is false: there the machine decides who comes in.
func (h *Host) AnswersAnyone(ctx context.Context) (bool, error) {
	if h.secure == nil {
		return h.endpoint.network == "tcp", nil
	}
	config, err := h.secure.config()
	if err != nil {
		return false, h.unreachable("ask without a certificate", err)
	}
	bare := config.Clone()
	bare.Certificates = nil
	err = h.ping(ctx, func(ctx context.Context) (net.Conn, error) { return h.secure.dialWith(ctx, bare) })
	var refused *net.OpError
	var alert tls.AlertError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &alert), errors.As(err, &refused) && refused.Op == "remote error":
		return false, nil
	}
	return false, h.explain(ctx, nil, "ask without a certificate", err)
}

// ping greets the engine over a connection of its own.
func (h *Host) ping(ctx context.Context, open dialer) error {
	once := transport(open)
	once.DisableKeepAlives = true
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	resp, err := once.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // its words do not matter
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine answered %s", resp.Status)
	}
	return nil
}
