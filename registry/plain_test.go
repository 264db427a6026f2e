package registry

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPlainHere(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	open, login, secure := httptest.NewServer(answer(200)), httptest.NewServer(answer(401)), httptest.NewTLSServer(answer(200))
	t.Cleanup(open.Close)
	t.Cleanup(login.Close)
	t.Cleanup(secure.Close)
	for address, want := range map[string]bool{
		open.Listener.Addr().String(): true, login.Listener.Addr().String(): true, secure.Listener.Addr().String(): false,
		"localhost:1": true, "[::1]:1": true, "registry.example.com": false, "10.0.0.1:5000": false,
	} {
		if got := PlainHere(t.Context(), address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
