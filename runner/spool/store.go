package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Options are what a Store needs.
type Options struct {
	Dir     string // of all logs
	Segment int64  // bytes after which a new segment begins; 8 MiB when zero
}

// Store has all logs: a folder each, below Dir.
type Store struct {
	dir     string
	segment int64
	open    opener

	// names is held while a folder is listed, and while Compress removes a file
	// whose lines are in another by then: a listing has at least one of the two.
	names sync.Mutex
	// packing is held by Compress and Remove: two of them in one folder would
	// write the same file.
	packing sync.Mutex

	// holding guards what Hold is for.
	holding sync.Mutex
	holds   int
	doomed  []string // to be removed once nothing holds them
}

// New makes the folder of all logs where there is none.
func New(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of logs: %w", err)
	}
	if o.Segment <= 0 {
		o.Segment = 8 << 20
	}
	return &Store{dir: o.Dir, segment: o.Segment, open: openFile}, nil
}

// folder is where the log of a run is.
func (s *Store) folder(run string) (string, error) {
	if run == "" || run[0] == '.' || strings.ContainsRune(run, filepath.Separator) {
		return "", fmt.Errorf("log of run %q: the run's id is no name of a folder", run)
	}
	return filepath.Join(s.dir, run), nil
}

// Runs gives the runs that have a log, in the order of their ids.
func (s *Store) Runs() ([]string, error) {
	all, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	var runs []string
	for _, entry := range all {
		if entry.IsDir() {
			runs = append(runs, entry.Name())
		}
	}
	return runs, nil
}

// Size is what the log of a run takes on disk, in bytes; 0: there is none.
func (s *Store) Size(run string) (int64, error) {
	dir, err := s.folder(run)
	if err != nil {
		return 0, err
	}
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("measure log of run %s: %w", run, err)
	}
	var size int64
	for _, entry := range all {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was cut or compressed just now
		}
		if err != nil {
			return 0, fmt.Errorf("measure log of run %s: %w", run, err)
		}
		size += info.Size()
	}
	return size, nil
}

// Remove forgets the log of a run, at once or once nothing holds it. One that is
// not there is removed already.
func (s *Store) Remove(run string) error {
	dir, err := s.folder(run)
	if err != nil {
		return err
	}
	if s.held(run) {
		return nil
	}
	s.packing.Lock()
	defer s.packing.Unlock()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove log of run %s: %w", run, err)
	}
	return nil
}

// Read passes the lines behind number after to fn, of a log that nobody writes.
// Where there is no log there are no lines. Errors of fn come back as they are.
func (s *Store) Read(ctx context.Context, run string, after int64, fn func(Entry) error) error {
	return s.Copy(ctx, run, after, eachEntry(run, fn))
}

// Copy is Read without decoding: w gets whole lines of NDJSON, many at a time,
// and must not keep them.
func (s *Store) Copy(ctx context.Context, run string, after int64, w func(chunk []byte) error) error {
	dir, err := s.folder(run)
	if err != nil {
		return err
	}
	list, _, err := s.list(dir)
	if err != nil {
		return fmt.Errorf("read log of run %s: %w", run, err)
	}
	r := &reader{dir: dir, run: run, after: after, w: w}
	for _, seg := range list {
		if seg.last <= after {
			continue
		}
		if err := r.pass(ctx, seg); err != nil {
			return err
		}
	}
	return nil
}

// unbounded is the last line, or the size, of a segment of which it is not
// known.
const unbounded = math.MaxInt64

// file is what the writer needs of one; tests put a full disk behind it.
type file interface {
	WriteAt(b []byte, offset int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

type opener func(path string, flag int) (file, error)

func openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// syncPath brings a file or the names in a folder to disk. What is gone needs
// that no more.
func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
