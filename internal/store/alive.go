package store

import (
	"context"
	"fmt"
)

// Alive tells whether the state answers. It has one connection: what holds that
// for good holds up everything.
func (s *Store) Alive(ctx context.Context) error {
	var instance string
	if err := s.db.QueryRowContext(ctx, "SELECT id FROM instance").Scan(&instance); err != nil {
		return fmt.Errorf("ask the state: %w", err)
	}
	return nil
}
