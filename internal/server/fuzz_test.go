package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/server"
)

// Whatever is submitted is answered, by a run or by a problem of the caller's.
func FuzzSubmit(f *testing.F) {
	for _, body := range []string{
		`{"image":"jobs","command":["node","a.js"]}`,
		`{"image":"jobs","env":["A=1"],"secret_env":[{"name":"B","value":"x"}],"memory":1,"cpus":0.5,"deadline":"1h","meta":{"a":"b"}}`,
		`{"image":"jobs","mounts":[{"type":"bind","source":"/a","target":"/b"}],"scratch":{"type":"tmpfs","size":1},"ports":[{"container":80}]}`,
		`{"image":"jobs","key":"k","epoch":1,"join":"success","on_conflict":"replace","pin_scope":"s","try":1,"tries":2,"skip_exit_codes":[99]}`,
		`{"image":"jobs","ulimits":[{"name":"nofile","soft":1,"hard":2}],"devices":[{"host":"/dev/a"}],"device_requests":[{"count":-1,"capabilities":[["gpu"]]}]}`,
		`{"image":`, `[]`, `null`, `"` + strings.Repeat("x", 100) + `"`,
	} {
		f.Add(body, "")
	}
	l := newLocked(f, each())
	handler := server.New(server.Options{Images: stubImages{}, Runs: stub{}, Access: l.keys, Setup: server.Setup{Rate: 1e9}, Logger: discard}).Handler()
	f.Fuzz(func(t *testing.T, body, idempotency string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://localhost/v1/runs", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer run")
		r.Header[api.IdempotencyKey] = []string{idempotency}
		handler.ServeHTTP(w, r)
		var answer struct{ Code, ID string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code >= http.StatusInternalServerError || w.Code == http.StatusTooManyRequests || (w.Code >= http.StatusBadRequest) != (answer.Code != "") {
			t.Errorf("%d %s (%v)", w.Code, w.Body, err)
		}
	})
}
