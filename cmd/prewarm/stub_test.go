package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// stub is a server with one run that does what a test wants, for what the real
// one does too seldom: losing answers, breaking connections, being gone.
type stub struct {
	*httptest.Server

	mu       sync.Mutex
	run      api.Run // as it ends
	answer   api.Submitted
	lines    []api.LogLine
	every    int                               // lines after which a connection breaks; 0: none
	fault    func(r *http.Request, n int) bool // the n-th request breaks before it is answered; nil: none
	refuse   func(r *http.Request, n int) *api.Problem
	live     bool          // the run goes on until it is canceled
	pace     time.Duration // between lines; 0: all at once
	requests int
	met      met

	canceled chan struct{} // closed by a cancel
}

// met is what was asked of a stub.
type met struct {
	submits  []api.SubmitRun
	words    []string // the Idempotency-Keys
	followed []int64  // the cursors of the followers
	rejected []string // the runs
}

func (s *stub) seen() met {
	s.mu.Lock()
	defer s.mu.Unlock()
	return met{slices.Clone(s.met.submits), slices.Clone(s.met.words), slices.Clone(s.met.followed), slices.Clone(s.met.rejected)}
}

const stubRun = "019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d"

// newStub starts a server whose run succeeded and printed n lines.
func newStub(t *testing.T, n int, with ...func(*stub)) *stub {
	t.Helper()
	started := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	s := &stub{canceled: make(chan struct{})}
	s.run = api.Run{
		ID: stubRun, State: "succeeded", Ended: true, Image: "jobs", Asked: "jobs", Pin: pinOf(1).String(), Host: "e1", ExitCode: exit(0),
		StartedAt: &started, SubmittedAt: started, EndedAt: &started, Log: api.RunLog{Lines: int64(n), Complete: true},
	}
	for i := range n {
		s.lines = append(s.lines, api.LogLine{Seq: int64(i + 1), Time: started, Stream: "stdout", Text: "line " + strconv.Itoa(i+1)})
	}
	for _, set := range with {
		set(s)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", s.submit)
	mux.HandleFunc("GET /v1/runs/{id}", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.now()) })
	mux.HandleFunc("GET /v1/runs/{id}/wait", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.now()) })
	mux.HandleFunc("GET /v1/runs/{id}/logs", s.logs)
	mux.HandleFunc("POST /v1/runs/{id}/cancel", s.cancel)
	mux.HandleFunc("POST /v1/runs/{id}/reject", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.met.rejected = append(s.met.rejected, r.PathValue("id"))
		s.mu.Unlock()
		answer(w, s.now())
	})
	s.Server = httptest.NewServer(s.faulty(mux))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// faulty lets requests fail as the test wants.
func (s *stub) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		n := s.requests
		s.mu.Unlock()
		if s.fault != nil && s.fault(r, n) {
			panic(http.ErrAbortHandler)
		}
		if s.refuse != nil {
			if p := s.refuse(r, n); p != nil {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(p.Status)
				_ = json.NewEncoder(w).Encode(p)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone, if it fails
}

func refusal(status int, code problem.Code, detail, mend string) *api.Problem {
	return &api.Problem{Status: status, Code: string(code), Detail: detail, Mend: mend}
}

func (s *stub) submit(w http.ResponseWriter, r *http.Request) {
	var request api.SubmitRun
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.met.submits = append(s.met.submits, request)
	s.met.words = append(s.met.words, r.Header.Get("Idempotency-Key"))
	submitted := s.answer
	s.mu.Unlock()
	if submitted.ID == "" {
		submitted.Run = api.Run{ID: s.run.ID, State: "queued", Image: s.run.Image}
	}
	answer(w, submitted)
}

// now is the run as it is.
func (s *stub) now() api.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.run
	select {
	case <-s.canceled:
	default:
		if s.live {
			run.State, run.Ended, run.ExitCode, run.EndedAt = "running", false, nil, nil
		}
	}
	return run
}

func (s *stub) cancel(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	select {
	case <-s.canceled:
	default:
		close(s.canceled)
	}
	s.mu.Unlock()
	run := s.now()
	run.State, run.Ended = "canceling", false
	answer(w, run)
}

func (s *stub) logs(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.met.followed = append(s.met.followed, after)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-ndjson")
	_ = http.NewResponseController(w).Flush()
	lines := json.NewEncoder(w)
	for i, l := range s.lines[min(int(after), len(s.lines)):] {
		if s.every > 0 && i == s.every {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if lines.Encode(l) != nil {
			return
		}
		if s.pace > 0 {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(s.pace)
		}
	}
	_ = http.NewResponseController(w).Flush()
	if s.live && r.URL.Query().Get("follow") == "true" {
		select {
		case <-s.canceled:
		case <-r.Context().Done():
		}
	}
}
