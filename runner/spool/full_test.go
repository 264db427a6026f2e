package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a small one behind a store: so many bytes can be written to it.
type disk struct {
	mu     sync.Mutex
	free   int64
	broken error // of each sync
}

func (d *disk) give(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free += n
}

// diskFile is a file on a disk. It has the real one's bytes, as far as they fit.
type diskFile struct {
	file
	disk *disk
	size int64
}

func (d *disk) open(path string, flag int) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free <= 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
	}
	f, err := openFile(path, flag)
	return &diskFile{file: f, disk: d}, err
}

func (f *diskFile) WriteAt(b []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	grow := offset + int64(len(b)) - f.size
	fits := len(b)
	if grow > f.disk.free {
		fits = max(0, len(b)-int(grow-f.disk.free))
	}
	n, err := f.file.WriteAt(b[:fits], offset)
	if grown := offset + int64(n) - f.size; grown > 0 {
		f.size += grown
		f.disk.free -= grown
	}
	if err == nil && fits < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.give(f.size - size)
	f.size = size
	return f.file.Truncate(size)
}

func (f *diskFile) Sync() error { return f.disk.broken }

func TestAFullDiskLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, segment := range []int64{0, 3000} {
		for free := int64(1); free < 20_000; free += 4001 {
			synctest.Test(t, func(t *testing.T) { fillDisk(t, segment, free) })
		}
	}
}

// fillDisk writes 200 lines to a disk that has space now and then.
func fillDisk(t *testing.T, segment, free int64) {
	s := newStore(t, segment)
	d := &disk{free: free}
	s.open = d.open
	l := openLog(t, s, 0)
	refused := 0
	for i, text := range numbered(1, 200, 300) {
		err := l.Append(entry(i+1, text))
		for ; err != nil; err = l.Append(entry(i+1, text)) {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			refused++
			for j, e := range readLog(t, l, 0) {
				if e.Seq != int64(j+1) {
					t.Fatalf("line %d of a full disk has number %d", j+1, e.Seq)
				}
			}
			if len(l.buf) > bufferSize+1000 {
				t.Fatalf("the buffer grew to %d", len(l.buf))
			}
			d.give(1500)
		}
		if i%10 == 0 {
			time.Sleep(2 * lag)
		}
	}
	for l.Flush() != nil {
		refused++
		d.give(1500)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if refused == 0 {
		t.Fatal("the disk was never full")
	}
	got := readStore(t, s, 0)
	for i, want := range numbered(1, 200, 300) {
		if i >= len(got) || got[i].Text != want || got[i].Seq != int64(i+1) {
			t.Fatalf("%d lines, line %d differs", len(got), i+1)
		}
	}
	if len(got) != 200 {
		t.Fatalf("%d lines", len(got))
	}
}

func TestAFlushIsTriedAgainWithoutACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		d := &disk{}
		s.open = d.open
		l := openLog(t, s, 0)
		appendLines(t, l, "one")
		time.Sleep(2 * lag)
		if err := l.Append(entry(2, "two")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("append behind a flush that failed: %v", err)
		}
		d.give(1000)
		time.Sleep(retry + lag)
		synctest.Wait()
		if got := summary(readLog(t, l, 0)); got != "1 one" {
			t.Errorf("got %s", got)
		}
	})
}

func TestCloseTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	d := &disk{free: 300}
	s.open = d.open
	l := openLog(t, s, 0)
	appendLines(t, l, "one")
	flush(t, l)
	appendLines(t, l, numbered(2, 5, 100)...)
	err := l.Close()
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "lines from 2 on are lost: write log of run "+run) {
		t.Errorf("got %v", err)
	}
	if got := summary(readStore(t, s, 0)); got != "1 one" {
		t.Errorf("kept: %s", got)
	}
	if err := l.Read(t.Context(), 1, true, func(e Entry) error { return fmt.Errorf("line %d", e.Seq) }); err != nil {
		t.Errorf("a follower of the ended log: %v", err)
	}
}

func TestADiskThatFailedOnceIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	d := &disk{free: 1 << 20, broken: syscall.EIO}
	s.open = d.open
	l := openLog(t, s, 0)
	appendLines(t, l, "one")
	for range 2 {
		if err := l.Sync(); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), run) {
			t.Errorf("got %v", err)
		}
		d.broken = nil
	}
}

func TestAFullSegmentIsBroughtToDisk(t *testing.T) {
	t.Parallel()
	s := newStore(t, leastSettled)
	d := &disk{free: 1 << 30, broken: syscall.EIO}
	s.open = d.open
	l := openLog(t, s, 0)
	appendLines(t, l, numbered(1, 30, 100<<10)...)
	l.settling.Wait()
	if err := l.failure(); !errors.Is(err, syscall.EIO) {
		t.Errorf("no segment was: %v", err)
	}
}
