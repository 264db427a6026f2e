package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// Compress makes the log of a run smaller, once it has ended: each segment by
// itself, so that the way to a line stays short. Readers are not disturbed. When
// it fails, or the process ends, the next call goes on where it was.
func (s *Store) Compress(run string) error {
	dir, err := s.folder(run)
	if err != nil {
		return err
	}
	s.packing.Lock()
	defer s.packing.Unlock()
	list, stale, err := s.list(dir)
	if err != nil {
		return fmt.Errorf("compress log of run %s: %w", run, err)
	}
	for _, seg := range list {
		if seg.packed || seg.cut != nil {
			continue
		}
		if err := s.pack(dir, seg); err != nil {
			return fmt.Errorf("compress log of run %s: %s: %w", run, seg.name(), err)
		}
	}
	for _, name := range stale {
		if err := remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("compress log of run %s: %w", run, err)
		}
	}
	return nil
}

// pack puts a compressed file in the place of a segment's. What has its name is
// whole and on disk.
func (s *Store) pack(dir string, seg segment) error {
	from := filepath.Join(dir, seg.name())
	to := filepath.Join(dir, name(seg.first, packedEnd))
	if err := writePacked(from, to+draftEnd); err != nil {
		return errors.Join(err, remove(to+draftEnd))
	}
	if err := os.Rename(to+draftEnd, to); err != nil {
		return err
	}
	if err := syncPath(dir); err != nil {
		return err
	}
	s.names.Lock()
	defer s.names.Unlock()
	return remove(from)
}

func writePacked(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(packInto(out, in), out.Sync(), out.Close())
}

// window bounds what packing and reading a packed segment hold in memory.
const window = 1 << 20

func packInto(w io.Writer, r io.Reader) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	_, err = io.Copy(z, r)
	return errors.Join(err, z.Close())
}

// unpack gives what packInto was given. It starts no goroutine.
func unpack(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8*window))
}

// remove is os.Remove for what may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
