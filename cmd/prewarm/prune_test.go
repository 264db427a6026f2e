package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
)

func TestReadFree(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"20GB": 20_000_000_000, "20G": 20_000_000_000, "20gb": 20_000_000_000, "500MB": 500_000_000, "1.5GB": 1_500_000_000,
		"1 TB": 1_000_000_000_000, "4096": 4096, "20GiB": 20 << 30, "1kib": 1024,
	} {
		if got, err := readFree(text); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "0GB", "0.4", "-1GB", "lots", "GB", "20XB", "20%", "20GBs", "20 percent", "NaN", "1,5GB"} {
		if got, err := readFree(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

// What is asked of the server is what the flags say, and who asks.
func TestPruneAsks(t *testing.T) {
	t.Parallel()
	var query string
	var asked api.PruneRequest
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, asked = r.URL.RawQuery, api.PruneRequest{}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		answer(w, api.Passes{})
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		args  []string
		query string
		want  api.PruneRequest
	}{
		{nil, "", api.PruneRequest{}},
		{[]string{"--dry-run"}, "dry_run=true", api.PruneRequest{}},
		{
			[]string{"--host", "e1", "--host", "e2,e3", "--image", "jobs", "--free", "20GB"},
			"",
			api.PruneRequest{Hosts: []string{"e1", "e2", "e3"}, Image: "jobs", FreeBytes: 20_000_000_000},
		},
	} {
		root := newRoot()
		root.SetArgs(append([]string{"prune", "--server", s.URL}, c.args...))
		root.SetOut(io.Discard)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		c.want.By = who()
		if diff := cmp.Diff(c.want, asked); diff != "" || query != c.query {
			t.Errorf("%q: query %q (-want +got):\n%s", c.args, query, diff)
		}
	}
}
