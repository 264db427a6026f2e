package docker

import (
	"net/http"
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestLifeIsTheNetworkAndLiveRestore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		info string
		net  http.HandlerFunc
		want string
		code problem.Code
	}{
		{"plain", `{"OSType":"linux","Architecture":"x86_64"}`, reply(http.StatusOK, `{"Id":"a"}`), "a", ""},
		{"live-restore", `{"OSType":"linux","Architecture":"x86_64","LiveRestoreEnabled":true}`, reply(http.StatusOK, `{"Id":"a"}`), "a+live-restore", ""},
		{"no default network", `{}`, fault(http.StatusNotFound, "no such network"), "", ""},
		{"no answer", `{}`, hangUp, "", problem.HostUnreachable},
	} {
		e := newEngineOf(t, c.info)
		e.on("GET /networks/bridge", c.net)
		h := e.host()
		for range 3 {
			got, err := h.life(t.Context())
			wantCode(t, c.name, err, c.code)
			if got != c.want {
				t.Errorf("%s: life = %q, want %q", c.name, got, c.want)
			}
		}
		if n := e.count("GET /info"); n > 1 {
			t.Errorf("%s: the engine was asked about itself %d times in one life", c.name, n)
		}
	}
}

// TestNewLifeIsAskedAnew: live-restore may have come with the restart.
func TestNewLifeIsAskedAnew(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.on("GET /networks/bridge", sequence(reply(http.StatusOK, `{"Id":"a"}`), reply(http.StatusOK, `{"Id":"b"}`)))
	h := e.host()
	for _, want := range []string{"a", "b"} {
		if got, err := h.life(t.Context()); err != nil || got != want {
			t.Errorf("life = %q, %v; want %q", got, err, want)
		}
	}
	if n := e.count("GET /info"); n != 2 {
		t.Errorf("the engine was asked about itself %d times, want once in each life", n)
	}
}
