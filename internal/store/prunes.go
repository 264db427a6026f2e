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
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/prune"
)

// leases are the claims on digests that stand in the store: of runs that have
// not ended, of containers to which a stop is owed, of live scopes.
const leases = `
	SELECT pin, 'leased' AS rule, 'run ' || id AS detail, submitted_at AS since FROM runs WHERE (ended = 0 OR owed = 1) AND pin <> ''
	UNION ALL
	SELECT p.pin, 'scope', 'pin scope ' || p.scope, p.since FROM scope_pins AS p
		JOIN scopes AS s ON s.namespace = p.namespace AND s.name = p.scope WHERE s.ended_at = 0`

type lease struct {
	pin   registry.Pin
	claim prune.Claim
}

func scanLease(row scanner) (l lease, err error) {
	return l, row.Scan(asPin(&l.pin), &l.claim.Rule, &l.claim.Detail, asTime(&l.claim.Since))
}

// Leases gives the claims on all digests that runs and scopes have.
func (s *Store) Leases(ctx context.Context) (map[registry.Pin][]prune.Claim, error) {
	all, err := query(ctx, s.db, scanLease, `SELECT pin, rule, detail, since FROM (`+leases+`) AS held ORDER BY since, detail`)
	if err != nil {
		return nil, fmt.Errorf("read who wants which digests: %w", err)
	}
	claims := make(map[registry.Pin][]prune.Claim)
	for _, l := range all {
		claims[l.pin] = append(claims[l.pin], l.claim)
	}
	return claims, nil
}

// Intend writes down that digests are about to be removed from a host. Where a
// run or a scope claims one of them it writes nothing and gives the claims.
func (s *Store) Intend(ctx context.Context, host, pass string, pins []registry.Pin) (claims []prune.Claim, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		for _, pin := range pins {
			found, err := claimsOn(ctx, tx, pin)
			if err != nil {
				return err
			}
			if claims = found; len(claims) > 0 {
				return errClaimed
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO removals (host, pin, pass, begun_at, ended_at) VALUES ($1, $2, $3, $4, 0)
				ON CONFLICT (host, pin) DO UPDATE SET pass = excluded.pass, begun_at = excluded.begun_at, ended_at = 0`,
				host, pin.String(), pass, micros(time.Now()))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errClaimed) {
		return nil, fmt.Errorf("write down what is to be removed from host %s: %w", host, err)
	}
	return claims, nil
}

// errClaimed takes an intent back.
var errClaimed = errors.New("somebody wants it")

func claimsOn(ctx context.Context, tx *sql.Tx, pin registry.Pin) ([]prune.Claim, error) {
	rows, err := tx.QueryContext(ctx, `SELECT pin, rule, detail, since FROM (`+leases+`) AS held WHERE pin = $1`, pin.String())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var claims []prune.Claim
	for rows.Next() {
		l, err := scanLease(rows)
		if err != nil {
			return nil, err
		}
		claims = append(claims, l.claim)
	}
	return claims, rows.Err()
}

// remembered is how long a removal that ended stays on record: longer than a
// submit takes that looked at the host before it.
const remembered = time.Hour

// Settle notes that removals from a host have ended, and which of their digests
// were given up for want of space.
func (s *Store) Settle(ctx context.Context, host string, pins, givenUp []registry.Pin) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		for _, pin := range pins {
			if _, err := tx.ExecContext(ctx, `UPDATE removals SET ended_at = $1 WHERE host = $2 AND pin = $3 AND ended_at = 0`, micros(now), host, pin.String()); err != nil {
				return err
			}
		}
		for _, pin := range givenUp {
			if _, err := tx.ExecContext(ctx, `INSERT INTO given_up (host, pin, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				host, pin.String(), micros(now)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM removals WHERE ended_at > 0 AND ended_at < $1`, micros(now.Add(-remembered)))
		return err
	})
	if err != nil {
		return fmt.Errorf("write down what was removed from host %s: %w", host, err)
	}
	return nil
}

// leaving refuses a run whose digest is being removed from a host, or was since
// the run was drafted: where it was seen warm it may be so no more.
func leaving(ctx context.Context, tx *sql.Tx, pin registry.Pin, drafted time.Time) error {
	var host string
	err := tx.QueryRowContext(ctx, `SELECT host FROM removals WHERE pin = $1 AND (ended_at = 0 OR ended_at >= $2) LIMIT 1`,
		pin.String(), micros(drafted)).Scan(&host)
	switch {
	case err == nil:
		return problem.New(problem.ImageLeaving, fmt.Sprintf("%s is being removed from host %s", pin, host), "submit it again")
	case errors.Is(err, sql.ErrNoRows):
		return nil
	}
	return fmt.Errorf("ask whether %s is being removed: %w", pin, err)
}

// revived refuses to let a scope hold digests again that are being removed.
func revived(ctx context.Context, tx *sql.Tx, namespace, scope string) error {
	var host, pin string
	err := tx.QueryRowContext(ctx, `SELECT r.host, r.pin FROM removals AS r JOIN scope_pins AS p ON p.pin = r.pin
		WHERE p.namespace = $1 AND p.scope = $2 AND r.ended_at = 0 LIMIT 1`, namespace, scope).Scan(&host, &pin)
	switch {
	case err == nil:
		return problem.New(problem.ImageLeaving, fmt.Sprintf("%s, which pin scope %s had, is being removed from host %s", pin, scope, host), "submit it again")
	case errors.Is(err, sql.ErrNoRows):
		return nil
	}
	return fmt.Errorf("ask whether digests of scope %s are being removed: %w", scope, err)
}

// TakeBack forgets that digests were given up on a host.
func (s *Store) TakeBack(ctx context.Context, host string, pins []registry.Pin) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, pin := range pins {
			if _, err := tx.ExecContext(ctx, `DELETE FROM given_up WHERE host = $1 AND pin = $2`, host, pin.String()); err != nil {
				return fmt.Errorf("take %s on host %s back: %w", pin, host, err)
			}
		}
		return nil
	})
}

// Recall gives what earlier lives wrote down of pruning, and ends what they had
// under way: no removal of ours outlives its life.
func (s *Store) Recall(ctx context.Context) (map[string][]registry.Pin, error) {
	if _, err := s.db.ExecContext(ctx, `UPDATE removals SET ended_at = $1 WHERE ended_at = 0`, micros(time.Now())); err != nil {
		return nil, fmt.Errorf("end the removals of an earlier life: %w", err)
	}
	type row struct {
		host string
		pin  registry.Pin
	}
	rows, err := query(ctx, s.db, func(r scanner) (o row, err error) { return o, r.Scan(&o.host, asPin(&o.pin)) }, `SELECT host, pin FROM given_up`)
	if err != nil {
		return nil, fmt.Errorf("read what was given up: %w", err)
	}
	given := make(map[string][]registry.Pin)
	for _, r := range rows {
		given[r.host] = append(given[r.host], r.pin)
	}
	return given, nil
}

// Uses gives what is known of the images on a host.
func (s *Store) Uses(ctx context.Context, host string) ([]warmer.Use, error) {
	scan := func(row scanner) (u warmer.Use, err error) {
		return u, row.Scan(&u.Image, asTime(&u.Seen), asTime(&u.Used))
	}
	uses, err := query(ctx, s.db, scan, `SELECT image, seen_at, used_at FROM host_images WHERE host = $1 ORDER BY image`, host)
	if err != nil {
		return nil, fmt.Errorf("read when the images on host %s were used: %w", host, err)
	}
	return uses, nil
}

// SaveUses replaces what is known of the images on a host.
func (s *Store) SaveUses(ctx context.Context, host string, uses []warmer.Use) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM host_images WHERE host = $1`, host); err != nil {
			return err
		}
		for _, u := range uses {
			if _, err := tx.ExecContext(ctx, `INSERT INTO host_images (host, image, seen_at, used_at) VALUES ($1, $2, $3, $4)`,
				host, u.Image, asTime(&u.Seen), asTime(&u.Used)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save when the images on host %s were used: %w", host, err)
	}
	return nil
}

// LastRuns gives when a run of each digest began last on a host.
func (s *Store) LastRuns(ctx context.Context, host string) (map[registry.Pin]time.Time, error) {
	type row struct {
		pin registry.Pin
		at  time.Time
	}
	rows, err := query(ctx, s.db, func(r scanner) (o row, err error) { return o, r.Scan(asPin(&o.pin), asTime(&o.at)) },
		`SELECT pin, max(started_at) FROM runs WHERE host = $1 AND host <> '' AND started_at > 0 GROUP BY pin`, host)
	if err != nil {
		return nil, fmt.Errorf("read the last runs on host %s: %w", host, err)
	}
	last := make(map[registry.Pin]time.Time, len(rows))
	for _, r := range rows {
		last[r.pin] = r.at
	}
	return last, nil
}

// Remembered gives every digest that we ever had to do with.
func (s *Store) Remembered(ctx context.Context) ([]warmer.Memory, error) {
	scan := func(row scanner) (m warmer.Memory, err error) {
		return m, row.Scan(asPin(&m.Pin), &m.Track.Image, &m.Track.Tag, asTime(&m.Promoted), asTime(&m.Ended))
	}
	all, err := query(ctx, s.db, scan, `
		SELECT pin, image, tag, max(promoted_at), max(ended_at) FROM rollouts GROUP BY image, tag, pin
		UNION ALL
		SELECT pin, image, '', 0, max(since) FROM scope_pins GROUP BY image, pin
		ORDER BY 2, 3, 1`)
	if err != nil {
		return nil, fmt.Errorf("read which digests were ours: %w", err)
	}
	return all, nil
}

// maxPasses bounds how many passes of a host are kept.
const maxPasses = 500

// SavePass writes a pass down, or what became of it, and what people are to be told
// of it, or neither.
func (s *Store) SavePass(ctx context.Context, p warmer.Pass, notices ...notice.Event) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO passes (id, host, begun_at, ended_at, record) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, record = excluded.record`,
			p.ID, p.Host, asTime(&p.Begun), asTime(&p.Ended), asJSON(p))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM passes WHERE host = $1 AND id < (
			SELECT min(id) FROM (SELECT id FROM passes WHERE host = $1 ORDER BY id DESC LIMIT $2) AS newest)`, p.Host, maxPasses)
		if err != nil {
			return err
		}
		return insertNotices(ctx, tx, notices)
	})
	if err != nil {
		return fmt.Errorf("save the prune pass %s: %w", p.ID, err)
	}
	if len(notices) > 0 {
		s.toldNotices()
	}
	return nil
}

// Passes gives the newest passes over a host, or over all, newest first.
func (s *Store) Passes(ctx context.Context, host string, limit int) ([]warmer.Pass, error) {
	scan := func(row scanner) (p warmer.Pass, err error) { return p, row.Scan(asJSON(&p)) }
	passes, err := query(ctx, s.db, scan, `SELECT record FROM passes WHERE host = $1 OR $1 = '' ORDER BY id DESC LIMIT $2`, host, limit)
	if err != nil {
		return nil, fmt.Errorf("read the prune passes: %w", err)
	}
	return passes, nil
}
