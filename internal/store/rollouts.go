package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// rolloutColumns are those of scanRollout, in its order.
const rolloutColumns = `id, image, tag, pin, manifest, phase, seen_at, promoted_at, ended_at, trust, promoted_by, origin`

// recent is how many rollouts of a track are loaded whatever became of them, and
// how many of those that were current once.
const recent = 50

// loadRollouts gives the open and the rejected rollouts, the newest superseded and
// the newest others of each track, oldest first: what is kept for a rollback must
// not be forgotten over many that never were current.
func (s *Store) loadRollouts(ctx context.Context) ([]warmer.Rollout, error) {
	return query(ctx, s.db, scanRollout, `
		SELECT `+rolloutColumns+` FROM (
			SELECT *, row_number() OVER (PARTITION BY image, tag ORDER BY id DESC) AS nth,
				row_number() OVER (PARTITION BY image, tag, phase ORDER BY id DESC) AS nth_of_phase FROM rollouts
		) AS numbered
		WHERE nth <= $1 OR phase = 'superseded' AND nth_of_phase <= $1 OR phase IN ('held', 'warming', 'current', 'rejected') ORDER BY id`, recent)
}

// history is how many rollouts of a track are kept.
const history = 1000

// thin removes the oldest ended rollouts of tracks that have had very many. The
// newest superseded ones stay, as in loadRollouts: an image that is on hold has many
// that never were current.
func (s *Store) thin(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `
		DELETE FROM rollouts WHERE phase IN ('superseded', 'overtaken') AND id IN (
			SELECT id FROM (
				SELECT id, phase, row_number() OVER (PARTITION BY image, tag ORDER BY id DESC) AS nth,
					row_number() OVER (PARTITION BY image, tag, phase ORDER BY id DESC) AS nth_of_phase FROM rollouts
			) AS numbered
			WHERE nth > $1 AND (phase <> 'superseded' OR nth_of_phase > $2))`, history, recent)
	if err != nil {
		return fmt.Errorf("thin out old rollouts: %w", err)
	}
	return nil
}

// saveRollout inserts a rollout or replaces what can change of it.
func saveRollout(ctx context.Context, tx *sql.Tx, r warmer.Rollout) error {
	manifest, err := json.Marshal(r.Manifest)
	if err != nil {
		return fmt.Errorf("encode the manifest of %s: %w", r.Pin, err)
	}
	trust, err := json.Marshal(r.Trust)
	if err != nil {
		return fmt.Errorf("encode what is known of %s: %w", r.Pin, err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO rollouts (`+rolloutColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, promoted_at = excluded.promoted_at, ended_at = excluded.ended_at,
			trust = excluded.trust, promoted_by = excluded.promoted_by`,
		r.ID, r.Track.Image, r.Track.Tag, r.Pin.String(), string(manifest), string(r.Phase),
		micros(r.Seen), micros(r.Promoted), micros(r.Ended), string(trust), r.PromotedBy, string(r.Origin))
	if err != nil {
		return fmt.Errorf("save rollout %s: %w", r.ID, err)
	}
	return nil
}

// scanner is a row or rows.
type scanner interface{ Scan(dest ...any) error }

func scanRollout(row scanner) (warmer.Rollout, error) {
	var (
		r                     warmer.Rollout
		pin, manifest, trust  string
		seen, promoted, ended int64
	)
	if err := row.Scan(&r.ID, &r.Track.Image, &r.Track.Tag, &pin, &manifest, &r.Phase, &seen, &promoted, &ended, &trust, &r.PromotedBy, &r.Origin); err != nil {
		return r, err
	}
	var err error
	if r.Pin, err = registry.ParsePin(pin); err != nil {
		return r, fmt.Errorf("rollout %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(manifest), &r.Manifest); err != nil {
		return r, fmt.Errorf("rollout %s: read its manifest: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(trust), &r.Trust); err != nil {
		return r, fmt.Errorf("rollout %s: read what is known of it: %w", r.ID, err)
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
