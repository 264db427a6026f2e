package docker

import (
	"net/http"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

func TestReachRegistry(t *testing.T) {
	t.Parallel()
	ref, err := registry.ParseRef("reg.test/etl/jobs:v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   problem.Code
		means  string
	}{
		{"there", reply(http.StatusOK, `{"Descriptor":{}}`), "", ""},
		{"not there", fault(http.StatusNotFound, "manifest unknown: manifest unknown"), "", ""},
		{"denied", fault(http.StatusUnauthorized, "unauthorized"), problem.RegistryAuth, "the registry refuses the credentials"},
		{"denied by a 403", fault(http.StatusForbidden, "denied: requested access to the resource is denied"), problem.RegistryAuth, ""},
		{"limited", fault(http.StatusInternalServerError, "toomanyrequests: slow down"), problem.RegistryLimited, ""},
		{"no name", fault(http.StatusInternalServerError, "dial tcp: lookup reg.test: no such host"), problem.RegistryUnavailable, "the host can't resolve the registry's name"},
		{"nobody", fault(http.StatusInternalServerError, "connect: connection refused"), problem.RegistryUnavailable, "the registry refuses connections from the host"},
		{
			"certificate", fault(http.StatusInternalServerError, "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
			problem.RegistryUnavailable, "the engine does not trust the registry's certificate",
		},
		{
			"no TLS", fault(http.StatusInternalServerError, "http: server gave HTTP response to HTTPS client"),
			problem.RegistryUnavailable, "the engine speaks TLS to a registry that does not",
		},
		{"something else", fault(http.StatusInternalServerError, "it broke"), problem.EngineAPI, "it broke"},
		{"no engine", hangUp, problem.HostUnreachable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.on("GET /distribution/reg.test/etl/jobs:v1/json", c.answer)
			err := e.host().ReachRegistry(t.Context(), ref)
			wantCode(t, "ReachRegistry", err, c.want)
			if c.means == "" {
				return
			}
			if want := "reach registry reg.test from host etl-1: " + c.means; c.want != problem.EngineAPI && problem.From(err).Message != want {
				t.Errorf("got %q, want %q", problem.From(err).Message, want)
			}
		})
	}
}
