package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Entry is one line of a run's log, as it is spooled and served.
type Entry struct {
	Seq    int64     `json:"seq"`  // 1, 2, 3 … within the run
	Time   time.Time `json:"time"` // the engine's own
	Stream Stream    `json:"stream"`
	// Text has no line feed. Bytes that are not UTF-8 are U+FFFD.
	Text string `json:"text"`
	// Open tells that no line feed followed the text.
	Open bool `json:"open,omitempty"`
}

// spool is the log of one run: a file that only grows, with any number of
// readers.
type spool struct {
	path string

	mu      sync.Mutex
	file    *os.File
	seq     int64
	size    int64         // bytes that readers may read
	changed chan struct{} // closed and replaced when size grows or the log ends
	closed  bool
}

func spoolPath(dir, run string) string { return filepath.Join(dir, run+".ndjson") }

// newSpool starts the log of a run in dir.
func newSpool(dir, run string) (*spool, error) {
	path := spoolPath(dir, run)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	return &spool{path: path, file: f, changed: make(chan struct{})}, nil
}

// append writes a line. It is with the kernel when append returns, and on disk
// when close does.
func (s *spool) append(l Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fs.ErrClosed
	}
	b, err := json.Marshal(Entry{Seq: s.seq + 1, Time: l.Time, Stream: l.Stream, Text: l.Text, Open: l.Open})
	if err != nil {
		return fmt.Errorf("encode log line: %w", err)
	}
	n, err := s.file.WriteAt(append(b, '\n'), s.size)
	if err != nil {
		// The next line overwrites what was half written.
		return fmt.Errorf("write log: %d of %d bytes: %w", n, len(b)+1, err)
	}
	s.seq++
	s.size += int64(n)
	s.wake()
	return nil
}

func (s *spool) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// sync brings the log to disk. Nothing is appended after it.
func (s *spool) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return errors.Join(s.file.Truncate(s.size), s.file.Sync())
}

// close ends the log: readers get the rest and end.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.wake()
	return s.file.Close()
}

func (s *spool) state() (size int64, closed bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size, s.closed, s.changed
}

// read passes the entries behind after to fn, and with follow those to come,
// until the log ends.
func (s *spool) read(ctx context.Context, after int64, follow bool, fn func(Entry) error) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	var done int64
	for {
		size, closed, changed := s.state()
		if err := readEntries(io.NewSectionReader(f, done, size-done), after, fn); err != nil {
			return err
		}
		done = size
		if closed || !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// readEnded reads the log of a run that this process does not write.
func readEnded(dir, run string, after int64, fn func(Entry) error) error {
	f, err := os.Open(spoolPath(dir, run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it ended before it had a log
	}
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	return readEntries(f, after, fn)
}

func readEntries(r io.Reader, after int64, fn func(Entry) error) error {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := b.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a last line without its end was cut by a crash
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		var e Entry
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return fmt.Errorf("read log: line after number %d is damaged: %w", after, err)
		}
		if e.Seq <= after {
			continue
		}
		after = e.Seq
		if err := fn(e); err != nil {
			return err
		}
	}
}
