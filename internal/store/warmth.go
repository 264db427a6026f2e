package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/prewarm/prewarm/warmer"
)

// Load reads what a warmer needs of earlier lives.
func (s *Store) Load(ctx context.Context) (warmer.Saved, error) {
	var saved warmer.Saved
	var err error
	if saved.Rollouts, err = s.loadRollouts(ctx); err != nil {
		return warmer.Saved{}, fmt.Errorf("read rollouts: %w", err)
	}
	if saved.Images, err = query(ctx, s.db, scanImage, `SELECT image, repository, chosen, held_at, held_by FROM images ORDER BY image`); err != nil {
		return warmer.Saved{}, fmt.Errorf("read images: %w", err)
	}
	if saved.Pauses, err = query(ctx, s.db, scanPause, `SELECT what, host, since, who FROM pauses ORDER BY what, host`); err != nil {
		return warmer.Saved{}, fmt.Errorf("read pauses: %w", err)
	}
	if saved.Troubles, err = s.loadTroubles(ctx); err != nil {
		return warmer.Saved{}, fmt.Errorf("read what people were told of: %w", err)
	}
	engines, err := query(ctx, s.db, scanEngine, `SELECT host, marker FROM engines`)
	if err != nil {
		return warmer.Saved{}, fmt.Errorf("read engines: %w", err)
	}
	if err := s.thin(ctx); err != nil {
		return warmer.Saved{}, err
	}
	saved.Engines = make(map[string]string, len(engines))
	for _, e := range engines {
		saved.Engines[e.host] = e.marker
	}
	return saved, nil
}

// Save writes a change in one transaction, with what people are to be told of it.
func (s *Store) Save(ctx context.Context, c warmer.Change) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := write(ctx, tx, c); err != nil {
			return err
		}
		return tell(ctx, tx, c)
	})
	if err == nil && len(c.Notices) > 0 {
		s.toldNotices()
	}
	return err
}

func write(ctx context.Context, tx *sql.Tx, c warmer.Change) error {
	for _, r := range c.Rollouts {
		if err := saveRollout(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, i := range c.Images {
		if err := saveImage(ctx, tx, i); err != nil {
			return err
		}
	}
	for _, p := range c.Paused {
		if _, err := tx.ExecContext(ctx, `INSERT INTO pauses (what, host, since, who) VALUES ($1, $2, $3, $4)
			ON CONFLICT (what, host) DO NOTHING`, string(p.What), p.Host, micros(p.Since), p.Who); err != nil {
			return fmt.Errorf("save the pause of %s: %w", p, err)
		}
	}
	for _, p := range c.Resumed {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pauses WHERE what = $1 AND host = $2`, string(p.What), p.Host); err != nil {
			return fmt.Errorf("end the pause of %s: %w", p, err)
		}
	}
	for host, marker := range c.Engines {
		if _, err := tx.ExecContext(ctx, `INSERT INTO engines (host, marker) VALUES ($1, $2)
			ON CONFLICT (host) DO UPDATE SET marker = excluded.marker`, host, marker); err != nil {
			return fmt.Errorf("save the engine of %s: %w", host, err)
		}
	}
	for _, a := range c.Acts {
		if _, err := tx.ExecContext(ctx, `INSERT INTO acts (`+actColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			a.ID, micros(a.At), a.Who, string(a.Verb), a.Track.Image, a.Track.Tag, a.Digest, a.Detail); err != nil {
			return fmt.Errorf("save the %s of %s: %w", a.Verb, a.Who, err)
		}
	}
	return nil
}

func saveImage(ctx context.Context, tx *sql.Tx, i warmer.ImageState) error {
	chosen, err := json.Marshal(i.Chosen)
	if err != nil {
		return fmt.Errorf("encode the tags of %s: %w", i.Image, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO images (image, repository, chosen, held_at, held_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (image) DO UPDATE SET repository = excluded.repository, chosen = excluded.chosen, held_at = excluded.held_at, held_by = excluded.held_by`,
		i.Image, i.Repository, string(chosen), micros(i.HeldAt), i.HeldBy)
	if err != nil {
		return fmt.Errorf("save image %s: %w", i.Image, err)
	}
	return nil
}

// History gives the newest rollouts and acts of an image, newest first.
func (s *Store) History(ctx context.Context, image string, limit int) ([]warmer.Rollout, []warmer.Act, error) {
	rollouts, err := query(ctx, s.db, scanRollout,
		`SELECT `+rolloutColumns+` FROM rollouts WHERE image = $1 ORDER BY id DESC LIMIT $2`, image, limit)
	if err != nil {
		return nil, nil, err
	}
	acts, err := query(ctx, s.db, scanAct, `SELECT `+actColumns+` FROM acts WHERE image = $1 ORDER BY id DESC LIMIT $2`, image, limit)
	return rollouts, acts, err
}

// actColumns are those of scanAct, in its order.
const actColumns = `id, at, who, verb, image, tag, digest, detail`

func scanAct(row scanner) (a warmer.Act, err error) {
	var at int64
	err = row.Scan(&a.ID, &at, &a.Who, &a.Verb, &a.Track.Image, &a.Track.Tag, &a.Digest, &a.Detail)
	a.At = fromMicros(at)
	return a, err
}

func scanImage(row scanner) (i warmer.ImageState, err error) {
	var chosen string
	var heldAt int64
	if err := row.Scan(&i.Image, &i.Repository, &chosen, &heldAt, &i.HeldBy); err != nil {
		return i, err
	}
	i.HeldAt = fromMicros(heldAt)
	return i, json.Unmarshal([]byte(chosen), &i.Chosen)
}

func scanPause(row scanner) (p warmer.Pause, err error) {
	var since int64
	err = row.Scan(&p.What, &p.Host, &since, &p.Who)
	p.Since = fromMicros(since)
	return p, err
}

type engineRow struct{ host, marker string }

func scanEngine(row scanner) (e engineRow, err error) {
	return e, row.Scan(&e.host, &e.marker)
}

// query reads all rows of a question.
func query[T any](ctx context.Context, db *sql.DB, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
