package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// SaveRollouts inserts or replaces rollouts in one transaction.
func (s *Store) SaveRollouts(ctx context.Context, rollouts ...warmer.Rollout) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, r := range rollouts {
		manifest, err := json.Marshal(r.Manifest)
		if err != nil {
			return fmt.Errorf("encode the manifest of %s: %w", r.Pin, err)
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO rollouts (id, image, tag, pin, manifest, phase, seen_at, promoted_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, promoted_at = excluded.promoted_at, ended_at = excluded.ended_at`,
			r.ID, r.Track.Image, r.Track.Tag, r.Pin.String(), string(manifest), string(r.Phase),
			micros(r.Seen), micros(r.Promoted), micros(r.Ended))
		if err != nil {
			return fmt.Errorf("save rollout %s: %w", r.ID, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Rollouts gives all rollouts, oldest first.
func (s *Store) Rollouts(ctx context.Context) ([]warmer.Rollout, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, image, tag, pin, manifest, phase, seen_at, promoted_at, ended_at FROM rollouts ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []warmer.Rollout
	for rows.Next() {
		r, err := scanRollout(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// scanner is a row or rows.
type scanner interface{ Scan(dest ...any) error }

func scanRollout(row scanner) (warmer.Rollout, error) {
	var (
		r                     warmer.Rollout
		pin, manifest         string
		seen, promoted, ended int64
	)
	if err := row.Scan(&r.ID, &r.Track.Image, &r.Track.Tag, &pin, &manifest, &r.Phase, &seen, &promoted, &ended); err != nil {
		return r, err
	}
	var err error
	if r.Pin, err = registry.ParsePin(pin); err != nil {
		return r, fmt.Errorf("rollout %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(manifest), &r.Manifest); err != nil {
		return r, fmt.Errorf("rollout %s: read its manifest: %w", r.ID, err)
	}
	r.Seen, r.Promoted, r.Ended = fromMicros(seen), fromMicros(promoted), fromMicros(ended)
	return r, nil
}

// micros writes a time; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}
