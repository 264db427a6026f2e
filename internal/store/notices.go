package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/warmer"
)

// insertNotices writes down what people are to be told of, in the transaction of
// what it tells. One that is there already stays as it is.
func insertNotices(ctx context.Context, tx *sql.Tx, all []notice.Event) error {
	for _, e := range all {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode a notice: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO notices (id, event) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, e.ID, string(body)); err != nil {
			return fmt.Errorf("save a notice: %w", err)
		}
	}
	return nil
}

// tell writes down what people are to be told of a change of the fleet, and which
// troubles they know of.
func tell(ctx context.Context, tx *sql.Tx, c warmer.Change) error {
	for _, t := range c.Over {
		if _, err := tx.ExecContext(ctx, `DELETE FROM troubles WHERE what = $1`, string(t)); err != nil {
			return fmt.Errorf("end a trouble: %w", err)
		}
	}
	for t, since := range c.Troubles {
		if _, err := tx.ExecContext(ctx, `INSERT INTO troubles (what, since) VALUES ($1, $2)
			ON CONFLICT (what) DO UPDATE SET since = excluded.since`, string(t), micros(since)); err != nil {
			return fmt.Errorf("save a trouble: %w", err)
		}
	}
	return insertNotices(ctx, tx, c.Notices)
}

// loadTroubles gives what people were told of and is not over.
func (s *Store) loadTroubles(ctx context.Context) (map[warmer.Trouble]time.Time, error) {
	rows, err := query(ctx, s.db, scanTrouble, `SELECT what, since FROM troubles`)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	all := make(map[warmer.Trouble]time.Time, len(rows))
	for _, r := range rows {
		all[r.what] = r.since
	}
	return all, nil
}

type troubleRow struct {
	what  warmer.Trouble
	since time.Time
}

func scanTrouble(row scanner) (t troubleRow, err error) {
	return t, row.Scan(&t.what, asTime(&t.since))
}

// Tell writes down what people are to be told of beside any other change.
func (s *Store) Tell(ctx context.Context, all ...notice.Event) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error { return insertNotices(ctx, tx, all) })
	if err == nil {
		s.toldNotices()
	}
	return err
}

// toldNotices wakes who waits for notices.
func (s *Store) toldNotices() {
	select {
	case s.news <- struct{}{}:
	default: // it was woken already
	}
}

// Noticed gives a token when notices were written down.
func (s *Store) Noticed() <-chan struct{} { return s.news }
