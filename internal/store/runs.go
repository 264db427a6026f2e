package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// runColumns in the order of runFields.
const runColumns = `id, ` + ofRun

// ofRun are those beside the id.
const ofRun = `idempotency, image, track, pin, after_run, same_as, rejected,
	host, engine_marker, engine_life, engine_version, container_id, state, owed, reason, exit_code, signal, oom_killed,
	submitted_at, placed_at, started_at, first_line_at, ended_at, stop, log, terms, asked, spec, detail, result, orphaned_at`

// runFields are the fields of a run that are kept, to write from or to read
// into.
func runFields(r *runner.Run) []any {
	return []any{
		&r.ID, &r.Idempotency, &r.Image, &r.Track, asPin(&r.Pin), &r.After, &r.SameAs, asFlag(&r.Rejected),
		&r.Host, &r.EngineMarker, &r.EngineLife, &r.EngineVersion, &r.ContainerID, &r.State, asFlag(&r.Owed), &r.Reason,
		asExit(&r.ExitCode, &r.Exited), &r.Signal, asFlag(&r.OOMKilled),
		asTime(&r.Submitted), asTime(&r.Placed), asTime(&r.Started), asTime(&r.FirstLine), asTime(&r.Ended),
		asJSON(&r.Stop), asJSON(&r.Log), asJSON(&r.Terms), asJSON(&r.Asked), asJSON(&r.Spec), &r.Detail, &r.Result, asTime(&r.Orphaned),
	}
}

// foundBy are columns that repeat something of the others to be searched, in
// the order of runValues.
const foundBy = `namespace, run_key, epoch, scope, ended`

func runValues(r runner.Run) []any {
	return append(runFields(&r), r.Terms.Namespace, r.Terms.Key, r.Terms.Epoch, r.Terms.Scope, asInt(r.State.Ended()))
}

const (
	inserted = runColumns + `, ` + foundBy
	updated  = ofRun + `, ` + foundBy
)

var (
	insertRun = `INSERT INTO runs (` + inserted + `) VALUES (` + numbered(1, inserted) + `)`
	updateRun = `UPDATE runs SET (` + updated + `) = (` + numbered(2, updated) + `) WHERE id = $1`
)

// InsertRun writes a new run down, with its sealed secrets (nil: none) and the
// use of its scope (nil: none), or nothing of it. A pin that the scope has is
// never replaced. While the run's digest is being removed from a host it is
// problem.ImageLeaving.
func (s *Store) InsertRun(ctx context.Context, r runner.Run, sealed []byte, scope *runner.Scope) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := leaving(ctx, tx, r.Pin, r.Submitted); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertRun, runValues(r)...); err != nil {
			return err
		}
		if sealed != nil {
			if _, err := tx.ExecContext(ctx, `INSERT INTO run_secrets (run, sealed) VALUES ($1, $2)`, r.ID, sealed); err != nil {
				return fmt.Errorf("save its secrets: %w", err)
			}
		}
		if scope == nil {
			return nil
		}
		return useScope(ctx, tx, *scope)
	})
	if err != nil {
		return fmt.Errorf("insert run %s: %w", r.ID, err)
	}
	return nil
}

// UpdateRun writes down what became of a run, and what people are to be told of
// it, or neither. Its sealed secrets go with the same write once its container
// exists, or never will.
func (s *Store) UpdateRun(ctx context.Context, r runner.Run, notices ...notice.Event) error {
	if err := s.updateRun(ctx, r, notices); err != nil {
		return fmt.Errorf("update run %s: %w", r.ID, err)
	}
	if len(notices) > 0 {
		s.toldNotices()
	}
	return nil
}

func (s *Store) updateRun(ctx context.Context, r runner.Run, notices []notice.Event) error {
	switch {
	case len(r.Spec.SecretEnv) > 0 && (r.ContainerID != "" || r.State.Ended()):
		return s.updateAndErase(ctx, r, notices)
	case r.State == runner.Queued && !r.Pin.IsZero():
		return s.updateQueued(ctx, r, notices)
	case len(notices) > 0:
		return s.inTx(ctx, func(tx *sql.Tx) error { return updateIn(ctx, tx, r, notices) })
	}
	_, err := s.db.ExecContext(ctx, updateRun, runValues(r)...)
	return err
}

func updateIn(ctx context.Context, tx *sql.Tx, r runner.Run, notices []notice.Event) error {
	if _, err := tx.ExecContext(ctx, updateRun, runValues(r)...); err != nil {
		return err
	}
	return insertNotices(ctx, tx, notices)
}

// justResolved is longer than the time between a run's digest being found out and
// its being written down.
const justResolved = 5 * time.Second

// updateQueued updates a run that may get its digest by that: as a new one it is
// not written down beside that digest's removal.
func (s *Store) updateQueued(ctx context.Context, r runner.Run, notices []notice.Event) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var was registry.Pin
		if err := tx.QueryRowContext(ctx, `SELECT pin FROM runs WHERE id = $1`, r.ID).Scan(asPin(&was)); err != nil {
			return err
		}
		if was != r.Pin {
			if err := leaving(ctx, tx, r.Pin, time.Now().Add(-justResolved)); err != nil {
				return err
			}
		}
		return updateIn(ctx, tx, r, notices)
	})
}

// DeleteRuns forgets runs and their secrets. One that is under way, or owed a
// stop, stays.
func (s *Store) DeleteRuns(ctx context.Context, ids []string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE id = $1 AND ended = 1 AND owed = 0`, id); err != nil {
				return fmt.Errorf("delete run %s: %w", id, err)
			}
		}
		return nil
	})
}

// Run gives a run, or problem.RunNotFound.
func (s *Store) Run(ctx context.Context, id string) (runner.Run, error) {
	r, err := scanRun(s.db.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, id))
	return r, found(err, fmt.Sprintf("no run has the id %q", id))
}

// RecordJoin writes down that a run answered a repeatable call that did not make
// it.
func (s *Store) RecordJoin(ctx context.Context, namespace, word, run string) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO joined_calls (namespace, idempotency, run, joined_at) VALUES ($1, $2, $3, $4)`,
		namespace, word, run, micros(time.Now()))
	if err != nil {
		return fmt.Errorf("record that run %s answered a call: %w", run, err)
	}
	return nil
}

// LatestCall gives the word of the repeatable call that a run answered last;
// empty: that call was not repeatable.
func (s *Store) LatestCall(ctx context.Context, run string) (word string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT idempotency FROM joined_calls WHERE run = $1 ORDER BY joined_at DESC LIMIT 1`, run).Scan(&word)
	if errors.Is(err, sql.ErrNoRows) {
		err = s.db.QueryRowContext(ctx, `SELECT idempotency FROM runs WHERE id = $1`, run).Scan(&word)
	}
	return word, found(err, fmt.Sprintf("no run has the id %q", run))
}

// ByIdempotency gives the run that answered a repeatable call, or
// problem.RunNotFound.
func (s *Store) ByIdempotency(ctx context.Context, namespace, word string) (runner.Run, error) {
	// The index holds no empty words, which the search has to say, too.
	r, err := scanRun(s.db.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs
		WHERE namespace = $1 AND idempotency = $2 AND idempotency <> ''`, namespace, word))
	if errors.Is(err, sql.ErrNoRows) {
		r, err = scanRun(s.db.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs
			WHERE id = (SELECT run FROM joined_calls WHERE namespace = $1 AND idempotency = $2)`, namespace, word))
	}
	return r, found(err, fmt.Sprintf("no run has the Idempotency-Key %q", word))
}

// found turns a missing row into a problem.
func found(err error, missing string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return problem.New(problem.RunNotFound, missing, "prewarm ps --all lists the newest ones")
	}
	return err
}

func scanRun(row scanner) (runner.Run, error) {
	var r runner.Run
	if err := row.Scan(runFields(&r)...); err != nil {
		return runner.Run{}, fmt.Errorf("read run %s: %w", r.ID, err)
	}
	return r, nil
}
