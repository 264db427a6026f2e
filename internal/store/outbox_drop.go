package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// DropOthers gives up what is to be sent by routes that are not among those
// given.
func (s *Store) DropOthers(ctx context.Context, routes []string, why string) error {
	scan := func(row scanner) (route string, err error) { return route, row.Scan(&route) }
	found, err := query(ctx, s.db, scan, `SELECT DISTINCT route FROM messages WHERE `+undelivered)
	if err != nil {
		return fmt.Errorf("read which routes have messages to be sent: %w", err)
	}
	for _, route := range found {
		if slices.Contains(routes, route) {
			continue
		}
		if _, err := s.dropMessages(ctx, why, `SELECT id FROM messages WHERE route = $1 AND `+undelivered, route); err != nil {
			return err
		}
	}
	return nil
}

// DropExcess gives up what a route was to send and that was made before and is
// due or was tried, or is older than its most newest ones. It gives how many messages these were.
func (s *Store) DropExcess(ctx context.Context, route string, most int, before time.Time, why string) (int, error) {
	return s.dropMessages(ctx, why, `SELECT id FROM messages WHERE route = $1 AND `+undelivered+` AND (made_at < $2 AND (tries > 0 OR due_at <= $4)
		OR id NOT IN (SELECT id FROM messages WHERE route = $1 AND `+undelivered+` ORDER BY id DESC LIMIT $3))`, route, micros(before), most, micros(time.Now()))
}

// dropMessages gives up those that a query finds, keeps of them that they were,
// and counts them as lost.
func (s *Store) dropMessages(ctx context.Context, why, find string, args ...any) (n int, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		found, err := messagesIn(ctx, tx, `SELECT `+messageColumns+` FROM messages WHERE id IN (`+find+`)`, args...)
		if err != nil {
			return err
		}
		for _, m := range found {
			m.Content = notice.Content{Title: m.Title, Kinds: m.Kinds, Count: m.Count}
			m.State, m.Error, m.Done = notice.Dropped, why, time.Now()
			if _, err := tx.ExecContext(ctx, saveMessage, messageFields(&m)...); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO message_losses (route, lost) VALUES ($1, 1)
				ON CONFLICT (route) DO UPDATE SET lost = message_losses.lost + 1`, m.Route)
			if err != nil {
				return err
			}
		}
		n = len(found)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("drop messages: %w", err)
	}
	return n, nil
}

func messagesIn(ctx context.Context, tx *sql.Tx, text string, args ...any) (all []notice.Message, err error) {
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// ForgetMessages deletes what was sent or dropped before, and of each route all
// but the newest of them.
func (s *Store) ForgetMessages(ctx context.Context, before time.Time, most int) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM messages WHERE id IN (
		SELECT id FROM (SELECT id, done_at, row_number() OVER (PARTITION BY route ORDER BY id DESC) AS place
			FROM messages WHERE state IN ('sent', 'dropped')) AS done
		WHERE done_at < $1 OR place > $2)`, micros(before), most)
	if err != nil {
		return fmt.Errorf("forget old messages: %w", err)
	}
	return nil
}
