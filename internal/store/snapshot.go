package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Database is the name of the database in the folder of the state.
const Database = "prewarm.db"

// Schema is the newest schema that this program knows.
func Schema() int64 {
	all, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // they are part of the program
	}
	var newest int64
	for _, e := range all {
		digits, _, _ := strings.Cut(e.Name(), "_")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			panic(err) // as above
		}
		newest = max(newest, n)
	}
	return newest
}

// KnowsSchema refuses a state of a later release: this one would write into it
// what that one can't read.
func KnowsSchema(has int64) error {
	if has <= Schema() {
		return nil
	}
	return problem.New(problem.StateNewer, fmt.Sprintf("use the state: its schema is %d, and this prewarm knows those up to %d", has, Schema()),
		"use the release that wrote it, or a later one, or restore a backup from before the upgrade")
}

// Snapshot writes the database as it is at one moment to a new file, while
// others go on with it. What was erased from it is not in there. It gives the
// moment, which is not before that of the call. Where it would fill the disk it is
// problem.NoSpace, and nothing is written.
func (s *Store) Snapshot(ctx context.Context, path string) (made time.Time, err error) {
	// An empty file is as good as none for SQLite, and this one is nobody else's.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return time.Time{}, fmt.Errorf("copy the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return time.Time{}, fmt.Errorf("copy the database: %w", err)
	}
	// A connection of its own: all others would wait for it. In WAL mode a reader
	// keeps no writer waiting.
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path, RawQuery: url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout)},
	}.Encode()}).String())
	if err != nil {
		return time.Time{}, fmt.Errorf("copy the database: %w", err)
	}
	made = time.Now()
	err = s.room(ctx, db, filepath.Dir(path))
	if err == nil {
		_, err = db.ExecContext(ctx, `VACUUM INTO $1`, path)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return time.Time{}, fmt.Errorf("copy the database: %w", err)
	}
	return made, nil
}

// spare is the room that a copy leaves on the disk, in bytes: meanwhile the
// database's log grows, and lines of runs come.
const spare = 64 << 20

// room refuses to copy the database where the disk has no room for it: what fills
// it up takes it from everything that has to be written.
func (s *Store) room(ctx context.Context, db *sql.DB, dir string) error {
	var size int64
	err := db.QueryRowContext(ctx, `SELECT (p.page_count - f.freelist_count) * s.page_size
		FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s`).Scan(&size)
	if err != nil {
		return err
	}
	free, err := s.free(dir)
	if err != nil {
		return fmt.Errorf("ask for the room in %s: %w", dir, err)
	}
	if free < size+spare {
		return problem.New(problem.NoSpace,
			fmt.Sprintf("%s has %s free, and a copy of the database needs %s for a moment, beside %s for what goes on meanwhile", dir, mib(free), mib(size), mib(spare)),
			"make room there: shorten runner.logs.keep or state.keep, or enlarge the disk")
	}
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// freeOn is the room on a folder's disk for anyone but root.
func freeOn(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // their types differ between systems
}

// MarkRestored notes that the state comes from a backup of that moment, and which
// runs waited in it.
func (s *Store) MarkRestored(ctx context.Context, made time.Time) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO restored (only_row, made_at, restored_at) VALUES (1, $1, $2)
			ON CONFLICT (only_row) DO UPDATE SET made_at = excluded.made_at, restored_at = excluded.restored_at`, micros(made), micros(time.Now()))
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO restored_runs (id) SELECT id FROM runs WHERE ended = 0 AND container_id = '' ON CONFLICT DO NOTHING`)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, noteBackup, micros(made), 0, 0)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note that the state was restored: %w", err)
	}
	return nil
}

// Restored gives the moment of the backup that the state comes from, and the runs
// that waited in it, until ForgetRestore; zero: it comes from none.
func (s *Store) Restored(ctx context.Context) (made time.Time, waited []string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT made_at FROM restored`).Scan(asTime(&made))
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil, nil
	}
	if err == nil {
		scan := func(row scanner) (id string, err error) { return id, row.Scan(&id) }
		waited, err = query(ctx, s.db, scan, `SELECT id FROM restored_runs ORDER BY id`)
	}
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("ask whether the state was restored: %w", err)
	}
	return made, waited, nil
}

// ForgetRestore notes that the hosts were looked at since the state was restored.
func (s *Store) ForgetRestore(ctx context.Context) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM restored`)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM restored_runs`)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note that the hosts were looked at: %w", err)
	}
	return nil
}
