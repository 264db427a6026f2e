package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
)

// scopeColumns in the order of scopeFields.
const scopeColumns = `namespace, name, host, marker, volume, keep, created_at, used_at, ended_at`

func scopeFields(s *runner.Scope) []any {
	return []any{
		&s.Namespace, &s.Name, &s.Host, &s.Marker, &s.Volume, asFlag(&s.Keep),
		asTime(&s.Created), asTime(&s.Used), asTime(&s.Ended),
	}
}

var (
	insertScope = `INSERT INTO scopes (` + scopeColumns + `) VALUES (` + numbered(1, scopeColumns) + `)
		ON CONFLICT (namespace, name) DO UPDATE SET host = excluded.host, marker = excluded.marker, volume = excluded.volume,
			used_at = excluded.used_at, ended_at = excluded.ended_at`
	replaceScope = insertScope + `, keep = excluded.keep, created_at = excluded.created_at`
)

// useScope writes down that a scope is used, from now on if it had ended, and
// the pins that it does not have yet.
func useScope(ctx context.Context, tx *sql.Tx, s runner.Scope) error {
	s.Ended = time.Time{}
	if _, err := tx.ExecContext(ctx, insertScope, scopeFields(&s)...); err != nil {
		return fmt.Errorf("save its scope %s: %w", s.Name, err)
	}
	if err := insertPins(ctx, tx, s); err != nil {
		return err
	}
	return revived(ctx, tx, s.Namespace, s.Name)
}

// insertPins adds the pins of tracks that a scope has none of.
func insertPins(ctx context.Context, tx *sql.Tx, s runner.Scope) error {
	for _, p := range s.Pins {
		_, err := tx.ExecContext(ctx, `INSERT INTO scope_pins (namespace, scope, track, image, pin, since)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, scope, track) DO NOTHING`,
			s.Namespace, s.Name, p.Track, p.Image, asPin(&p.Pin), asTime(&p.Since))
		if err != nil {
			return fmt.Errorf("save the pin of %s in scope %s: %w", p.Track, s.Name, err)
		}
	}
	return nil
}

// SaveScope writes a scope as it is given, its pins included.
func (s *Store) SaveScope(ctx context.Context, scope runner.Scope) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, replaceScope, scopeFields(&scope)...); err != nil {
			return fmt.Errorf("save scope %s: %w", scope.Name, err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM scope_pins WHERE namespace = $1 AND scope = $2`, scope.Namespace, scope.Name); err != nil {
			return fmt.Errorf("replace the pins of scope %s: %w", scope.Name, err)
		}
		if err := insertPins(ctx, tx, scope); err != nil || !scope.Ended.IsZero() {
			return err
		}
		return revived(ctx, tx, scope.Namespace, scope.Name)
	})
}

// DeleteScope forgets a scope; one that is not there is no error.
func (s *Store) DeleteScope(ctx context.Context, namespace, name string) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM scopes WHERE namespace = $1 AND name = $2`, namespace, name); err != nil {
		return fmt.Errorf("delete scope %s: %w", name, err)
	}
	return nil
}

// Scopes gives all scopes that are recorded, by name, the pins of each by
// track.
func (s *Store) Scopes(ctx context.Context) ([]runner.Scope, error) {
	// One question, so that no scope is seen without its pins.
	rows, err := query(ctx, s.db, scanScopeRow, `
		SELECT `+scopeColumns+`, track, image, pin, since FROM scopes
		LEFT JOIN (SELECT namespace AS of_namespace, scope, track, image, pin, since FROM scope_pins) AS pins
			ON of_namespace = namespace AND scope = name
		ORDER BY namespace, name, track`)
	if err != nil {
		return nil, fmt.Errorf("read pin scopes: %w", err)
	}
	var all []runner.Scope
	for _, row := range rows {
		if last := len(all) - 1; last < 0 || all[last].Namespace != row.scope.Namespace || all[last].Name != row.scope.Name {
			all = append(all, row.scope)
		}
		if row.pin != nil {
			last := &all[len(all)-1]
			last.Pins = append(last.Pins, *row.pin)
		}
	}
	return all, nil
}

// scopeRow is a scope with one of its pins, if it has any.
type scopeRow struct {
	scope runner.Scope
	pin   *runner.ScopePin
}

func scanScopeRow(row scanner) (r scopeRow, err error) {
	var track, image, pin sql.NullString
	var since sql.NullInt64
	if err := row.Scan(append(scopeFields(&r.scope), &track, &image, &pin, &since)...); err != nil {
		return r, err
	}
	if !track.Valid {
		return r, nil
	}
	r.pin = &runner.ScopePin{Track: track.String, Image: image.String, Since: fromMicros(since.Int64)}
	if r.pin.Pin, err = registry.ParsePin(pin.String); err != nil {
		return r, fmt.Errorf("scope %s: %w", r.scope.Name, err)
	}
	return r, nil
}
