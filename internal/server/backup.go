package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/problem"
)

// Backups makes backups of the state.
type Backups interface {
	// Begin fixes the moment that a backup shows. write is to be called once, and
	// writes it; an error of it means that what was written is no backup.
	Begin(ctx context.Context) (write func(ctx context.Context, w io.Writer) error, err error)
}

const tarType = "application/x-tar"

func (s *Server) backupRoute() {
	o := op(http.MethodPost, "/v1/backup", "make-backup", "Make a backup of the state, while the server works")
	o.Description = "The answer is a tar archive: what runs, rollouts, tokens and logs were at one moment. An answer that breaks off is no backup: " +
		"its last file is manifest.json, with the size and SHA-256 of all others. It holds the logs of all namespaces, the hashes of tokens and the key " +
		"that signs links to logs. One backup is made at a time."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "The backup.",
		Content:     map[string]*huma.MediaType{tarType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	handle(s, o, s.makeBackup, problem.BackupUnderWay, problem.NoSpace)
}

func (s *Server) makeBackup(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	if s.opts.Backups == nil {
		return nil, problem.New(problem.Internal, "this server makes no backups", "")
	}
	write, err := s.opts.Backups.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		name := "prewarm-" + time.Now().UTC().Format("20060102T150405Z") + ".tar"
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
		err := stream(w, tarType, func(o *outlet) error {
			begun := write
			write = nil
			return begun(r.Context(), outletWriter{o})
		})
		if write != nil { // the reader was gone before it began: it still has to be ended
			err = write(canceled(r.Context()), io.Discard)
		}
		if err != nil {
			if r.Context().Err() == nil {
				s.opts.Logger.Warn("a backup was not completed", "error", err)
			}
			panic(http.ErrAbortHandler) // as for a log: a broken answer can't be taken for a whole one
		}
	}}, nil
}

// canceled is a context that has ended.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

type outletWriter struct{ o *outlet }

func (w outletWriter) Write(b []byte) (int, error) {
	if err := w.o.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}
