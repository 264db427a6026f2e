// Package store keeps rollouts, runs and pin scopes in SQLite. It is the only package that
// knows SQL; the domain packages say what they need of it (warmer.Store,
// runner.Store). The SQL is portable on purpose, so that PostgreSQL can follow:
// numbered parameters, TEXT ids, times as BIGINT microseconds since 1970, JSON
// as TEXT.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the pure Go driver, registered as "sqlite"

	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/problem"
)

// Store is the state of one instance. Its methods may be called from any
// goroutine.
type Store struct {
	db       *sql.DB
	path     string
	lock     *os.File
	instance string
	free     func(dir string) (int64, error) // room on a disk, in bytes

	erased  chan struct{} // holds one token: "empty the log"
	erasing sync.WaitGroup
	stop    context.CancelFunc
	news    chan struct{} // holds one token: "there are notices"
}

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the state in dir, made where there is none, and brings its schema
// up to date. A state that another server uses is problem.StateLocked, one that
// can't be read problem.StateCorrupt; neither is changed.
func Open(ctx context.Context, dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the state: %w", err)
	}
	lock, err := Lock(dir)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.Background())
	s := &Store{lock: lock, free: freeOn, erased: make(chan struct{}, 1), stop: stop, news: make(chan struct{}, 1)}
	s.path = filepath.Join(dir, Database)
	err = backup.Settle(dir)
	if err == nil {
		err = s.open(ctx, s.path)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.erasing.Go(func() { s.emptyLogs(life) })
	return s, nil
}

// Close ends the use of the state.
func (s *Store) Close() error {
	s.stop()
	s.erasing.Wait()
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// Instance is the id of this installation, made with its state.
func (s *Store) Instance() string { return s.instance }

// Lock makes this process the only user of the state, until it closes the file.
// The kernel gives the lock back however the process ends.
func Lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, backup.LockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the state: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(problem.New(problem.StateLocked,
			fmt.Sprintf("another prewarm serve uses the state in %s", dir),
			"stop that one, or give this one a state.path of its own"), f.Close())
	}
	return f, nil
}

// busyTimeout is how long another program's lock on the database is waited for,
// in milliseconds.
const busyTimeout = 5000

// open connects, checks and migrates the database.
//
// synchronous=FULL: what was answered must survive a power cut, and NORMAL
// loses commits in WAL mode. secure_delete: what is deleted is overwritten;
// some of it were secrets. One connection: SQLite writes one at a time anyway,
// and our reads are short.
func (s *Store) open(ctx context.Context, path string) error {
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout), "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)", "secure_delete(1)"},
	}.Encode()}).String()
	readAhead(path)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s.db = db
	if err := check(ctx, db); err != nil {
		return corrupt(path, err)
	}
	if err := migrate(ctx, db); err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	// A server that was killed may have left erased secrets in it.
	if _, err := emptyLog(ctx, db); err != nil {
		return fmt.Errorf("empty the log of %s: %w", path, err)
	}
	return s.identify(ctx)
}

// check reads the database far enough to tell whether it is sound.
func check(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	return nil
}

func corrupt(path string, err error) error {
	if strings.Contains(err.Error(), "unable to open") {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return problem.Wrap(problem.StateCorrupt, err,
		fmt.Sprintf("read the state in %s", path),
		"put a backup of it back, or move the folder away to start with an empty state: images are found warm again, records of runs are lost")
}

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return err
	}
	if has, err := p.GetDBVersion(ctx); err == nil {
		if err := KnowsSchema(has); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return err
}

// identify reads the instance's id, or makes it.
func (s *Store) identify(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO instance (only_row, id) VALUES (1, $1) ON CONFLICT DO NOTHING`, strings.ToLower(rand.Text()))
	if err == nil {
		err = s.db.QueryRowContext(ctx, `SELECT id FROM instance`).Scan(&s.instance)
	}
	if err != nil {
		return fmt.Errorf("read the instance's id: %w", err)
	}
	return nil
}

// inTx does work in one transaction: all of it, or nothing.
func (s *Store) inTx(ctx context.Context, work func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := work(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
