package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/prewarm/prewarm/warmer/hints"
)

// maxDeliveries bounds how many deliveries to a webhook are kept, and as many
// records of refused ones.
const maxDeliveries = 1000

// Record writes deliveries down, all or none, and forgets the oldest of their
// hooks beyond maxDeliveries.
func (s *Store) Record(ctx context.Context, all []hints.Delivery) error {
	type room struct {
		hook    string
		refused bool
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		rooms := make(map[room]bool)
		for _, d := range all {
			in := room{d.Hook, d.Verdict == hints.Refused}
			rooms[in] = true
			_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (id, hook, refused, led, record) VALUES ($1, $2, $3, $4, $5)`,
				d.ID, d.Hook, asInt(in.refused), d.Led, asJSON(d))
			if err != nil {
				return err
			}
		}
		for in := range rooms {
			_, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE hook = $1 AND refused = $2 AND id <= (
				SELECT id FROM deliveries WHERE hook = $1 AND refused = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)`,
				in.hook, asInt(in.refused), maxDeliveries)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write down deliveries of webhooks: %w", err)
	}
	return nil
}

// Led notes what deliveries led to, by id. Those that are forgotten stay so.
func (s *Store) Led(ctx context.Context, all map[string]string) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for id, text := range all {
			if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET led = $1 WHERE id = $2`, text, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write down what deliveries of webhooks led to: %w", err)
	}
	return nil
}

// Deliveries gives the newest deliveries to a hook, newest first.
func (s *Store) Deliveries(ctx context.Context, hook string, limit int) ([]hints.Delivery, error) {
	scan := func(row scanner) (d hints.Delivery, err error) {
		var led string
		err = row.Scan(&led, asJSON(&d))
		d.Led = led
		return d, err
	}
	all, err := query(ctx, s.db, scan, `SELECT led, record FROM deliveries WHERE hook = $1 ORDER BY id DESC LIMIT $2`, hook, limit)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries to webhook %s: %w", hook, err)
	}
	return all, nil
}
