package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

const ndjsonType = "application/x-ndjson"

func (s *Server) logRoute() {
	logs := op(http.MethodGet, "/v1/runs/{id}/logs", "get-logs", "Read the log of a run, a JSON object (LogLine) on each line")
	logs.Description = "With follow=true the answer ends when the run's log does. A connection that breaks before its end " +
		"has not told all: ask again with the number of the last line as `after`."
	logs.Responses = map[string]*huma.Response{"200": {
		Description: "The lines behind `after`.",
		Content: map[string]*huma.MediaType{ndjsonType: {
			Schema: s.schemaOf(reflect.TypeFor[api.LogLine]()),
		}},
	}}
	handle(s, logs, s.readLogs, problem.RunNotFound)
}

type logsInput struct {
	RunID
	After  int64 `query:"after" minimum:"0" doc:"Number of the last line that the reader has."`
	Follow bool  `query:"follow" doc:"Go on until the run's log ends."`
}

func (s *Server) readLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	if _, err := s.opts.Runs.Get(ctx, in.ID); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		err := s.streamLogs(r.Context(), w, in)
		if err == nil || r.Context().Err() != nil {
			return
		}
		if problem.CodeOf(err) != problem.Stopping {
			s.opts.Logger.Warn("log stream broken", "run", in.ID, "error", err)
		}
		// The reader must not take what it got for the whole: a stream that is
		// cut off is the only way left to say so.
		panic(http.ErrAbortHandler)
	}}, nil
}

func (s *Server) streamLogs(ctx context.Context, w http.ResponseWriter, in *logsInput) error {
	return stream(w, func(write func(any) error) error {
		return s.opts.Runs.Logs(ctx, in.ID, in.After, in.Follow, func(e runner.Entry) error { return write(lineOf(e)) })
	})
}

// stream answers with JSON objects, one on each line, as they come.
func stream(w http.ResponseWriter, produce func(write func(any) error) error) error {
	w.Header().Set("Content-Type", ndjsonType)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold lines back
	out := newLineWriter(w)
	defer out.close()
	if err := out.flush(); err != nil { // the headers: the reader knows that it is connected
		return err
	}
	return produce(out.write)
}

// flushEvery is how often lines are sent on while they keep coming: a flush for
// each line would take longer than all else that is done for it. It is what a
// line may be late, where another came just before.
const flushEvery = 5 * time.Millisecond

// lineWriter sends lines to a reader: a lone one at once, many together.
type lineWriter struct {
	flush func() error
	later *time.Timer // flushes what waits

	mu      sync.Mutex
	out     *json.Encoder
	flushed time.Time
	waiting bool // later will flush
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	l := &lineWriter{flush: http.NewResponseController(w).Flush, out: json.NewEncoder(w)}
	l.out.SetEscapeHTML(false) // people read it, too
	l.later = time.AfterFunc(time.Hour, l.flushWaiting)
	return l
}

func (l *lineWriter) write(line any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.out.Encode(line); err != nil {
		return fmt.Errorf("write to the reader: %w", err)
	}
	if l.waiting {
		return nil
	}
	now := time.Now()
	if wait := flushEvery - now.Sub(l.flushed); wait > 0 {
		l.waiting = true
		l.later.Reset(wait)
		return nil
	}
	l.flushed = now
	return l.flush()
}

func (l *lineWriter) flushWaiting() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting {
		l.waiting, l.flushed = false, time.Now()
		_ = l.flush() // a reader that went away is noticed by the next write
	}
}

// close sends what waits. Nothing touches the reader's connection after it.
func (l *lineWriter) close() {
	l.later.Stop()
	l.flushWaiting()
}
