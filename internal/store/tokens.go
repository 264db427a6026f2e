package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/access"
)

// tokenColumns in the order of tokenFields.
const tokenColumns = `id, name, hash, grants, created_at, created_by, expires_at, revoked_at, used_at`

func tokenFields(t *access.Token) []any {
	return []any{
		&t.ID, &t.Name, asHash(&t.Hash), asJSON(&t.Grant), asTime(&t.Created), &t.By, asTime(&t.Expires), asTime(&t.Revoked), asTime(&t.Used),
	}
}

// hash is a SHA-256.
type hash struct{ of *[32]byte }

func asHash(of *[32]byte) hash { return hash{of} }

func (h hash) Value() (driver.Value, error) { return h.of[:], nil }

func (h hash) Scan(v any) error {
	b, ok := v.([]byte)
	ok = ok && len(b) == len(h.of)
	copy(h.of[:], b)
	return expect(ok, v, "a hash")
}

// Tokens gives all tokens, the oldest first.
func (s *Store) Tokens(ctx context.Context) ([]access.Token, error) {
	scan := func(row scanner) (t access.Token, err error) { return t, row.Scan(tokenFields(&t)...) }
	return query(ctx, s.db, scan, `SELECT `+tokenColumns+` FROM tokens ORDER BY id`)
}

// InsertToken writes a new token down: everything but itself.
func (s *Store) InsertToken(ctx context.Context, t access.Token) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES (`+numbered(1, tokenColumns)+`)`, tokenFields(&t)...)
	return err
}

// RevokeToken notes that a token opens nothing any more.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE tokens SET revoked_at = $1 WHERE id = $2`, micros(at), id)
	return err
}

// UsedTokens notes when tokens were used last.
func (s *Store) UsedTokens(ctx context.Context, at map[string]time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for id, t := range at {
			if _, err := tx.ExecContext(ctx, `UPDATE tokens SET used_at = $1 WHERE id = $2`, micros(t), id); err != nil {
				return fmt.Errorf("note the use of a token: %w", err)
			}
		}
		return nil
	})
}
