package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// messageColumns in the order of messageFields.
const messageColumns = `id, route, thread, state, due_at, tries, ref, error, made_at, done_at, content`

func messageFields(m *notice.Message) []any {
	return []any{
		&m.ID, &m.Route, &m.Thread, &m.State, asTime(&m.Due), &m.Tries, &m.Ref, &m.Error, asTime(&m.Made), asTime(&m.Done), asJSON(&m.Content),
	}
}

func scanMessage(row scanner) (m notice.Message, err error) { return m, row.Scan(messageFields(&m)...) }

// undelivered are the states of messages that are still to be sent.
const undelivered = `state IN ('waiting', 'failed')`

var saveMessage = `INSERT INTO messages (` + messageColumns + `) VALUES (` + numbered(1, messageColumns) + `)
	ON CONFLICT (id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at, tries = excluded.tries, ref = excluded.ref,
		error = excluded.error, done_at = excluded.done_at, content = excluded.content`

// UntoldEvents gives the oldest events that no route has taken yet, at most
// limit.
func (s *Store) UntoldEvents(ctx context.Context, limit int) ([]notice.Event, error) {
	scan := func(row scanner) (e notice.Event, err error) { return e, row.Scan(asJSON(&e)) }
	events, err := query(ctx, s.db, scan, `SELECT event FROM notices ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read what people are to be told of: %w", err)
	}
	return events, nil
}

// RouteEvents writes down the messages, new or changed, that events became, and
// forgets the events: all of it, or nothing.
func (s *Store) RouteEvents(ctx context.Context, events []string, messages []notice.Message) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for _, m := range messages {
			if _, err := tx.ExecContext(ctx, saveMessage, messageFields(&m)...); err != nil {
				return err
			}
		}
		for _, id := range events {
			if _, err := tx.ExecContext(ctx, `DELETE FROM notices WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save messages: %w", err)
	}
	return nil
}

// LatestMessage gives the newest message of a thread that was not dropped, if
// there is one.
func (s *Store) LatestMessage(ctx context.Context, route, thread string) (notice.Message, bool, error) {
	m, err := scanMessage(s.db.QueryRowContext(ctx, `SELECT `+messageColumns+` FROM messages
		WHERE route = $1 AND thread = $2 AND state <> 'dropped' ORDER BY id DESC LIMIT 1`, route, thread))
	return one(m, err, "the newest message of a thread")
}

// NextMessage gives the message of a route that is to be sent next, if there is
// one: of those that are the first of their threads, the one that is due first.
func (s *Store) NextMessage(ctx context.Context, route string) (notice.Message, bool, error) {
	return s.first(ctx, firstOfThreads+` ORDER BY due_at, id LIMIT 1`, route)
}

// DueMessage gives the message of a route that is due and was made first, if there
// is one, of those that are the first of their threads. The plus keeps SQLite from
// looking at all that are due.
func (s *Store) DueMessage(ctx context.Context, route string) (notice.Message, bool, error) {
	return s.first(ctx, firstOfThreads+` AND +due_at <= $2 ORDER BY id LIMIT 1`, route, micros(time.Now()))
}

// firstOfThreads finds messages of a route that are to be sent and have none to be
// sent before them.
const firstOfThreads = `SELECT ` + messageColumns + ` FROM messages AS m WHERE route = $1 AND ` + undelivered + `
	AND NOT EXISTS (SELECT 1 FROM messages AS b WHERE b.route = m.route AND b.thread = m.thread AND b.id < m.id AND b.` + undelivered + `)`

// first gives the message that a query finds, with what came before it.
func (s *Store) first(ctx context.Context, text string, args ...any) (notice.Message, bool, error) {
	m, err := scanMessage(s.db.QueryRowContext(ctx, text, args...))
	if err != nil {
		return one(m, err, "the next message")
	}
	err = s.db.QueryRowContext(ctx, `SELECT
		coalesce((SELECT ref FROM messages WHERE route = $1 AND thread = $2 AND id < $3 AND state = 'sent' AND ref <> '' ORDER BY id DESC LIMIT 1), ''),
		coalesce((SELECT lost FROM message_losses WHERE route = $1), 0)`, m.Route, m.Thread, m.ID).Scan(&m.Earlier, &m.Lost)
	return one(m, err, "what came before the next message")
}

// one tells a missing row from an error.
func one(m notice.Message, err error, what string) (notice.Message, bool, error) {
	switch {
	case err == nil:
		return m, true, nil
	case errors.Is(err, sql.ErrNoRows):
		return notice.Message{}, false, nil
	}
	return notice.Message{}, false, fmt.Errorf("read %s: %w", what, err)
}

// SettleMessage writes down what became of trying to send a message. One that
// was sent has told of the losses that it had.
func (s *Store) SettleMessage(ctx context.Context, m notice.Message) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE messages SET state = $2, due_at = $3, tries = $4, ref = $5, error = $6, done_at = $7
			WHERE id = $1 AND `+undelivered, m.ID, m.State, asTime(&m.Due), m.Tries, m.Ref, m.Error, asTime(&m.Done))
		if err != nil || m.State != notice.Sent || m.Lost == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE message_losses SET lost = CASE WHEN lost > $2 THEN lost - $2 ELSE 0 END WHERE route = $1`, m.Route, m.Lost)
		return err
	})
	if err != nil {
		return fmt.Errorf("save what became of message %s: %w", m.ID, err)
	}
	return nil
}

// SaveContent writes down what a message says, be it one that is sent at this
// moment.
func (s *Store) SaveContent(ctx context.Context, m notice.Message) error {
	if _, err := s.db.ExecContext(ctx, `UPDATE messages SET content = $2 WHERE id = $1`, m.ID, asJSON(&m.Content)); err != nil {
		return fmt.Errorf("save what message %s says: %w", m.ID, err)
	}
	return nil
}

// HurryMessages makes messages of a route, or of all where it is empty, that were
// tried in vain due now.
func (s *Store) HurryMessages(ctx context.Context, route string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE messages SET due_at = $1 WHERE (route = $2 OR $2 = '') AND `+undelivered+` AND tries > 0 AND due_at > $1`,
		micros(time.Now()), route)
	if err != nil {
		return fmt.Errorf("hurry messages that failed: %w", err)
	}
	return nil
}

// Backlog tells how many messages of a route are late, or were tried in vain, and
// since when the first of them is there; zero: none.
func (s *Store) Backlog(ctx context.Context, route string) (n int, since time.Time, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*), coalesce(min(made_at), 0) FROM messages WHERE route = $1 AND `+undelivered+`
		AND (tries > 0 OR due_at <= $2)`, route, micros(time.Now())).Scan(&n, asTime(&since))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count messages that are to be sent: %w", err)
	}
	return n, since, nil
}

// Messages gives the newest messages of a route, or of all where it is empty,
// newest first.
func (s *Store) Messages(ctx context.Context, route string, limit int) ([]notice.Message, error) {
	all, err := query(ctx, s.db, scanMessage, `SELECT `+messageColumns+` FROM messages WHERE route = $1 OR $1 = '' ORDER BY id DESC LIMIT $2`, route, limit)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return all, nil
}
