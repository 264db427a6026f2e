package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// runColumns in the order of runValues and scanRun.
const runColumns = `id, spec, image, pin, host, engine_marker, container_id, state, ended, reason, detail,
	exit_code, oom_killed, submitted_at, placed_at, started_at, first_line_at, ended_at`

// InsertRun writes a new run down.
func (s *Store) InsertRun(ctx context.Context, r runner.Run) error {
	values, err := runValues(r)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO runs (`+runColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`, values...)
	if err != nil {
		return fmt.Errorf("insert run %s: %w", r.ID, err)
	}
	return nil
}

// UpdateRun writes down what became of a run.
func (s *Store) UpdateRun(ctx context.Context, r runner.Run) error {
	values, err := runValues(r)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `UPDATE runs SET (`+runColumns+`)
		= ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) WHERE id = $1`, values...)
	if err != nil {
		return fmt.Errorf("update run %s: %w", r.ID, err)
	}
	return nil
}

func runValues(r runner.Run) ([]any, error) {
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode the spec of run %s: %w", r.ID, err)
	}
	exit := sql.NullInt64{Int64: int64(r.ExitCode), Valid: r.Exited}
	return []any{
		r.ID, string(spec), r.Image, r.Pin.String(), r.Host, r.EngineMarker, r.ContainerID, string(r.State), asInt(r.State.Ended()), string(r.Reason), r.Detail,
		exit, asInt(r.OOMKilled), micros(r.Submitted), micros(r.Placed), micros(r.Started), micros(r.FirstLine), micros(r.Ended),
	}, nil
}

// Run gives a run, or problem.RunNotFound.
func (s *Store) Run(ctx context.Context, id string) (runner.Run, error) {
	r, err := scanRun(s.db.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, problem.New(problem.RunNotFound, fmt.Sprintf("no run has the id %q", id), "GET /v1/runs lists the newest ones")
	}
	return r, err
}

// Runs gives the newest runs first.
func (s *Store) Runs(ctx context.Context, limit int) ([]runner.Run, error) {
	return query(ctx, s.db, scanRun, `SELECT `+runColumns+` FROM runs ORDER BY id DESC LIMIT $1`, limit)
}

// UnfinishedRuns gives the runs without an outcome, oldest first.
func (s *Store) UnfinishedRuns(ctx context.Context) ([]runner.Run, error) {
	return query(ctx, s.db, scanRun, `SELECT `+runColumns+` FROM runs WHERE ended = 0 ORDER BY id`)
}

func scanRun(row scanner) (runner.Run, error) {
	var (
		r                                            runner.Run
		spec, pin                                    string
		exit                                         sql.NullInt64
		ended, oom                                   int
		submitted, placed, started, first, endedTime int64
	)
	err := row.Scan(&r.ID, &spec, &r.Image, &pin, &r.Host, &r.EngineMarker, &r.ContainerID, &r.State, &ended, &r.Reason, &r.Detail,
		&exit, &oom, &submitted, &placed, &started, &first, &endedTime)
	if err != nil {
		return r, fmt.Errorf("read a run: %w", err)
	}
	if err := json.Unmarshal([]byte(spec), &r.Spec); err != nil {
		return r, fmt.Errorf("read the spec of run %s: %w", r.ID, err)
	}
	if pin != "" {
		if r.Pin, err = registry.ParsePin(pin); err != nil {
			return r, fmt.Errorf("read run %s: %w", r.ID, err)
		}
	}
	r.ExitCode, r.Exited, r.OOMKilled = int(exit.Int64), exit.Valid, oom == 1
	r.Submitted, r.Placed, r.Started = fromMicros(submitted), fromMicros(placed), fromMicros(started)
	r.FirstLine, r.Ended = fromMicros(first), fromMicros(endedTime)
	return r, nil
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
