package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/runner"
)

// Secrets gives a run's sealed secrets; nil: it has none, or they were erased.
func (s *Store) Secrets(ctx context.Context, run string) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, `SELECT sealed FROM run_secrets WHERE run = $1`, run).Scan(&sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read the secrets of run %s: %w", run, err)
	}
	return sealed, nil
}

// updateAndErase writes down what became of a run, and forgets its secrets, or
// neither. The database overwrites what is deleted; its log, which has the pages
// as they were, is emptied within a second.
func (s *Store) updateAndErase(ctx context.Context, r runner.Run, notices []notice.Event) error {
	var erased int64
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := updateIn(ctx, tx, r, notices); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM run_secrets WHERE run = $1`, r.ID)
		if err == nil {
			erased, err = result.RowsAffected()
		}
		return err
	})
	if err != nil {
		return err
	}
	if erased == 0 {
		return nil
	}
	select {
	case s.erased <- struct{}{}:
	default: // somebody said so already
	}
	return nil
}

// eraseDelay is how long erased secrets may stay in the database's log.
// Emptying it takes up to 15 ms on a busy disk, and everybody waits: so that is
// done once for all that were erased meanwhile.
const eraseDelay = time.Second

// emptyLogs empties the log after secrets were erased, until ctx ends. Where
// that fails, because something else reads the database (a backup), or for the
// disk, it is tried again: closing or opening the database does it at the
// latest.
func (s *Store) emptyLogs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.erased:
		}
		for done := false; !done; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(eraseDelay):
			}
			empty, err := emptyLog(ctx, s.db)
			done = empty && err == nil
		}
	}
}

// emptyLog moves what the database's log holds into the database, and cuts the
// log down to nothing, unless something else reads the database. It does not
// wait for that: everybody here would wait with it.
func emptyLog(ctx context.Context, db *sql.DB) (empty bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout=0"); err != nil {
		return false, err
	}
	var busy, pages, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	_, reset := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout=%d", busyTimeout))
	return busy == 0, errors.Join(err, reset)
}
