package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Backup tells of a backup that was made.
type Backup struct {
	Made  time.Time // the moment that it shows
	Bytes int64
	Took  time.Duration
}

const noteBackup = `INSERT INTO backups (only_row, made_at, bytes, took) VALUES (1, $1, $2, $3)
	ON CONFLICT (only_row) DO UPDATE SET made_at = excluded.made_at, bytes = excluded.bytes, took = excluded.took`

// NoteBackup keeps what is told of the last backup.
func (s *Store) NoteBackup(ctx context.Context, b Backup) error {
	if _, err := s.db.ExecContext(ctx, noteBackup, micros(b.Made), b.Bytes, b.Took.Microseconds()); err != nil {
		return fmt.Errorf("note that a backup was made: %w", err)
	}
	return nil
}

// LastBackup gives what NoteBackup kept; zero: nothing.
func (s *Store) LastBackup(ctx context.Context) (b Backup, err error) {
	var took int64
	err = s.db.QueryRowContext(ctx, `SELECT made_at, bytes, took FROM backups`).Scan(asTime(&b.Made), &b.Bytes, &took)
	if errors.Is(err, sql.ErrNoRows) {
		return Backup{}, nil
	}
	if err != nil {
		return Backup{}, fmt.Errorf("read the last backup: %w", err)
	}
	b.Took = time.Duration(took) * time.Microsecond
	return b, nil
}
