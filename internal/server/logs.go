package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

const (
	ndjsonType = "application/x-ndjson"
	sseType    = "text/event-stream"
)

func (s *Server) logRoute() {
	logs := op(http.MethodGet, "/v1/runs/{id}/logs", "get-logs", "Read the log of a run, a JSON object (LogLine) on each line")
	logs.Description = "With follow=true the answer ends when the run's log does. A connection that breaks before its end " +
		"has not told all: ask again with the number of the last line as `after`. A reader that takes next to nothing for 5 minutes is cut off so.\n\n" +
		"While the program prints nothing, nothing is sent: where a proxy cuts silent connections, ask again or ask for " +
		"text/event-stream (`Accept`), in which each line is an event with its number as id, a comment comes every 15 s, and an event " +
		"`end` after the last line: a browser that is to read no further closes its EventSource then."
	schema := s.schemaOf(reflect.TypeFor[api.LogLine]())
	logs.Responses = map[string]*huma.Response{"200": {
		Description: "The lines behind `after`.",
		Content:     map[string]*huma.MediaType{ndjsonType: {Schema: schema}, sseType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	handle(s, logs, s.readLogs, problem.RunNotFound, problem.LogRemoved)
}

type logsInput struct {
	RunID
	After  int64 `query:"after" minimum:"0" doc:"Number of the last line that the reader has."`
	Follow bool  `query:"follow" doc:"Go on until the run's log ends."`
	LastID int64 `header:"Last-Event-ID" minimum:"0" doc:"What a browser sends that reconnects: it counts instead of after."`
}

func (s *Server) readLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	if err := s.sees(ctx, in.ID); err != nil {
		return nil, err
	}
	run, err := s.opts.Runs.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if s.logRemoved(ctx, run) { // what there is to say of it has to be said before the stream begins
		if err := s.opts.Runs.CopyLog(ctx, in.ID, in.After, false, func([]byte) error { return nil }); err != nil {
			return nil, err
		}
	}
	leave := func() {}
	if in.Follow && !run.State.Ended() {
		if leave, err = s.place(ctx); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer leave()
		r, w := humago.Unwrap(hc)
		s.endStream(r.Context(), in.ID, s.streamLogs(r, w, in))
	}}, nil
}

// logRemoved tells whether a run's log may not be there any more. That of a run
// which another one's success answered is that one's.
func (s *Server) logRemoved(ctx context.Context, run runner.Run) bool {
	for run.SameAs != "" && !run.Log.Removed {
		earlier, err := s.opts.Runs.Get(ctx, run.SameAs)
		if err != nil {
			return true // reading it tells why
		}
		run = earlier
	}
	return run.Log.Removed
}

// endStream cuts a stream off that has not come to its end.
func (s *Server) endStream(ctx context.Context, run string, err error) {
	switch {
	case err == nil:
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.opts.Logger.Info("log reader cut off: it took nothing", "run", run, "for", stalled)
	case ctx.Err() == nil && problem.CodeOf(err) != problem.Stopping:
		s.opts.Logger.Warn("log stream broken", "run", run, "error", err)
	}
	// The reader must not take what it got for the whole: a stream that is
	// cut off is the only way left to say so.
	panic(http.ErrAbortHandler)
}

func (s *Server) streamLogs(r *http.Request, w http.ResponseWriter, in *logsInput) error {
	after := in.After
	if in.LastID > 0 {
		after = in.LastID
	}
	if !strings.Contains(r.Header.Get("Accept"), sseType) {
		return stream(w, ndjsonType, func(o *outlet) error {
			return s.opts.Runs.CopyLog(r.Context(), in.ID, after, in.Follow, o.write)
		})
	}
	return stream(w, sseType, func(o *outlet) error {
		o.keepAwake()
		var events []byte
		err := s.opts.Runs.CopyLog(r.Context(), in.ID, after, in.Follow, func(chunk []byte) (err error) {
			if events, err = appendEvents(events[:0], chunk); err != nil {
				return err
			}
			return o.write(events)
		})
		if err != nil {
			return err
		}
		return o.write([]byte("event: end\ndata: {}\n\n"))
	})
}

// appendEvents writes lines of JSON as server-sent events.
func appendEvents(events, chunk []byte) ([]byte, error) {
	for line := range bytes.Lines(chunk) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		seq, err := seqOf(line)
		if err != nil {
			return events, err
		}
		events = strconv.AppendInt(append(events, "id: "...), seq, 10)
		events = append(append(append(events, "\ndata: "...), line...), "\n\n"...)
	}
	return events, nil
}

// seqOf gives the number of a line, which is its first field.
func seqOf(line []byte) (int64, error) {
	if rest, ok := bytes.CutPrefix(line, []byte(`{"seq":`)); ok {
		digits, _, _ := bytes.Cut(rest, []byte(","))
		if seq, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			return seq, nil
		}
	}
	var l struct{ Seq int64 }
	if err := json.Unmarshal(line, &l); err != nil {
		return 0, fmt.Errorf("read a line of the log: %w", err)
	}
	return l.Seq, nil
}
