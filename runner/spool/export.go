package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Hold lets no log be removed until release is called: what Remove is told
// meanwhile is done then. A process that ends before that leaves these logs to
// whoever counts them next.
func (s *Store) Hold() (release func() error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.holds++
	return sync.OnceValue(s.letGo)
}

func (s *Store) letGo() error {
	s.holding.Lock()
	s.holds--
	var due []string
	if s.holds == 0 {
		due, s.doomed = s.doomed, nil
	}
	s.holding.Unlock()
	var errs []error
	for _, run := range due {
		errs = append(errs, s.Remove(run))
	}
	return errors.Join(errs...)
}

// held tells whether a log is to stay for now, and notes that it is to go.
func (s *Store) held(run string) bool {
	s.holding.Lock()
	defer s.holding.Unlock()
	if s.holds > 0 {
		s.doomed = append(s.doomed, run)
	}
	return s.holds > 0
}

// exportTries bounds how often a log is listed anew that is cut at that moment. A
// cut takes far longer to come about than a listing.
const exportTries = 100

// Export passes the files of a log as they are at one moment, with what each has
// by then: a folder with just these is the log of that moment. The last line may
// be half written, as after a crash.
func (s *Store) Export(run string, fn func(name string, size int64, r io.Reader) error) error {
	dir, err := s.folder(run)
	if err != nil {
		return err
	}
	for range exportTries {
		files, again, err := s.openAll(dir)
		if err == nil && !again {
			err = pass(files, fn)
		}
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("copy log of run %s: %w", run, err)
		}
		if !again {
			return nil
		}
	}
	return fmt.Errorf("copy log of run %s: its files change faster than they can be opened", run)
}

// openAll opens all files of a log. What is open stays readable, whoever removes
// it. One that was cut away since it was listed makes the listing worth nothing.
func (s *Store) openAll(dir string) (files []*os.File, again bool, err error) {
	s.names.Lock()
	defer s.names.Unlock()
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	for _, entry := range all {
		if _, _, ok := parseName(entry.Name()); !ok {
			continue // half written
		}
		f, err := os.Open(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			return files, true, nil
		}
		if err != nil {
			return files, false, err
		}
		files = append(files, f)
	}
	return files, false, nil
}

func pass(files []*os.File, fn func(name string, size int64, r io.Reader) error) error {
	for _, f := range files {
		info, err := f.Stat()
		if err == nil {
			err = fn(info.Name(), info.Size(), f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
