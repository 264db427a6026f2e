package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/prewarm/prewarm/runner"
)

// SetFree makes a store believe in that much room on its disk.
func SetFree(s *Store, free int64) {
	s.free = func(string) (int64, error) { return free, nil }
}

// ReadFromOutside reads the database in dir as another program does, until
// stop.
func ReadFromOutside(t *testing.T, dir string) (stop func()) {
	t.Helper()
	db := outside(t, dir)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM runs`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// OldState makes a state in dir as an earlier release left it: its schema, and
// what text puts into it.
func OldState(t *testing.T, dir string, version int64, text string) {
	t.Helper()
	db := outside(t, dir)
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// DownTo takes the schema in dir back to a version.
func DownTo(t *testing.T, dir string, version int64) {
	t.Helper()
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	db := outside(t, dir)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Told gives the kinds of the notices in dir, in the order of their ids.
func Told(t *testing.T, dir string) []string {
	t.Helper()
	rows, err := outside(t, dir).Query(`SELECT event ->> 'Kind' FROM notices ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var kind string
		if err := rows.Scan(&kind); err != nil {
			t.Fatal(err)
		}
		all = append(all, kind)
	}
	return all
}

func outside(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "prewarm.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Fast inserts very many runs into the state in dir in one transaction.
func Fast(dir string, fill func(insert func(r runner.Run) error) error) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "prewarm.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	err = fill(func(r runner.Run) error {
		_, err := tx.Exec(insertRun, runValues(r)...)
		return err
	})
	return errors.Join(err, tx.Commit())
}

// Tables names the tables of the state in dir.
func Tables(t *testing.T, dir string) []string {
	t.Helper()
	db := outside(t, dir)
	defer db.Close()
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
