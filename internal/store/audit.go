package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/access"
)

// entryColumns in the order of entryFields.
const entryColumns = `id, at, caller, namespace, operation, path, subject, remote, status, run`

func entryFields(e *access.Entry) []any {
	return []any{&e.ID, asTime(&e.At), &e.Caller, &e.Namespace, &e.Operation, &e.Path, &e.Subject, &e.Remote, &e.Status, &e.Run}
}

// BeginCall writes down that a call is about to be carried out.
func (s *Store) BeginCall(ctx context.Context, e access.Entry) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO audit (`+entryColumns+`) VALUES (`+numbered(1, entryColumns)+`)`, entryFields(&e)...)
	if err != nil {
		return fmt.Errorf("write the call down: %w", err)
	}
	return nil
}

// EndCalls writes down how calls were answered.
func (s *Store) EndCalls(ctx context.Context, calls []access.Entry) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, e := range calls {
			if _, err := tx.ExecContext(ctx, `UPDATE audit SET status = $1, run = $2, subject = $3 WHERE id = $4`, e.Status, e.Run, e.Subject, e.ID); err != nil {
				return fmt.Errorf("write down how a call was answered: %w", err)
			}
		}
		return nil
	})
}

// Calls gives entries, the oldest first.
func (s *Store) Calls(ctx context.Context, f access.EntryFilter) ([]access.Entry, error) {
	var c conditions
	c.addIf(f.After, "id > $%d")
	c.addIf(f.Caller, "caller = $%d")
	order := "DESC"
	if f.After != "" {
		order = "ASC"
	}
	c.args = append(c.args, f.Limit)
	scan := func(row scanner) (e access.Entry, err error) { return e, row.Scan(entryFields(&e)...) }
	all, err := query(ctx, s.db, scan, fmt.Sprintf(`SELECT %s FROM audit %sORDER BY id %s LIMIT $%d`, entryColumns, c.where(), order, len(c.args)), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	slices.SortFunc(all, func(a, b access.Entry) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// TrimCalls forgets entries from before a time, and of each caller all but the
// newest ones: none of them can drive out what another one did.
func (s *Store) TrimCalls(ctx context.Context, before time.Time, keep int) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM audit WHERE at < $1 OR id IN (
		SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY caller ORDER BY id DESC) AS place FROM audit) AS ranked WHERE place > $2)`, micros(before), keep)
	if err != nil {
		return fmt.Errorf("trim the audit log: %w", err)
	}
	return nil
}
