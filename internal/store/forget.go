package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Forget deletes what was done before a time, and the oldest rollouts of tracks
// that have had very many. Rollouts have no other age: from them it is known
// which images on the hosts are ours. The token that was made last stays, whatever
// it opens: a state without any lets everybody on the machine in.
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	if err := s.thin(ctx); err != nil {
		return err
	}
	for _, one := range []struct {
		what, text string
		arg        any
	}{
		{"acts", `DELETE FROM acts WHERE id < $1`, firstID(before)},
		{"prune passes", `DELETE FROM passes WHERE id < $1`, firstID(before)},
		{"deliveries of webhooks", `DELETE FROM deliveries WHERE id < $1`, firstID(before)},
		{"tokens", `DELETE FROM tokens WHERE (revoked_at > 0 AND revoked_at < $1 OR expires_at > 0 AND expires_at < $1)
			AND id < (SELECT max(id) FROM tokens)`, micros(before)},
		{"removals", `DELETE FROM removals WHERE ended_at > 0 AND ended_at < $1`, micros(time.Now().Add(-remembered))},
	} {
		err := s.inTx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, one.text, one.arg)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget old %s: %w", one.what, err)
		}
	}
	return nil
}

// firstID is below each UUIDv7 that was made then or later, and above those that
// were made before.
func firstID(at time.Time) string {
	ms := max(at.UnixMilli(), 0)
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}
