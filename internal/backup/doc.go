// Package backup is the file that a state is kept in: how it is written, how it
// is proven whole, and how it becomes the state of a folder again.
//
// A backup is a tar archive: backup.json, which tells what it is of; the files of
// the state below state/; and at the very end manifest.json, which names each of
// them with its size and SHA-256. One that was cut short has no manifest, so it
// can't be taken for a whole one.
package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// format is that of the archive.
const format = 1

// The names in an archive.
const (
	headName     = "backup.json"
	manifestName = "manifest.json"
	stateFolder  = "state/"
)

// Head tells what a backup is of. It comes first.
type Head struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"`  // of the program that made it
	Instance string    `json:"instance"` // whose state it is
	Schema   int64     `json:"schema"`   // of the database
	Made     time.Time `json:"made"`     // the moment that it shows
}

// sum is one file, as the manifest names it.
type sum struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type manifest struct {
	Files []sum `json:"files"`
}

// Writer writes a backup.
type Writer struct {
	tar   *tar.Writer
	made  time.Time
	files []sum
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Format = format
	b := &Writer{tar: tar.NewWriter(w), made: h.Made}
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the head of the backup: %w", err)
	}
	return b, b.add(headName, int64(len(text)), strings.NewReader(string(text)))
}

// Add puts a file of the state into the backup: size bytes of r, under its name
// in the folder of the state.
func (b *Writer) Add(name string, size int64, r io.Reader) error {
	if !placed(name) {
		return fmt.Errorf("back up %q: that is no name of a file in the state", name)
	}
	return b.add(stateFolder+name, size, r)
}

// placed tells whether that is the name of a file of a state: in its folder, and
// nothing that a restore needs there for itself.
func placed(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return fs.ValidPath(name) && name != "." && Kept(top)
}

func (b *Writer) add(name string, size int64, r io.Reader) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.made, Format: tar.FormatPAX}
	if err := b.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(b.tar, h), io.LimitReader(r, size))
	if err == nil && n < size {
		err = fmt.Errorf("it became shorter while it was read: %d of %d bytes", n, size)
	}
	if err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	b.files = append(b.files, sum{name, size, hex.EncodeToString(h.Sum(nil))})
	return nil
}

// Close ends the backup: it is one from now on.
func (b *Writer) Close() error {
	text, err := json.Marshal(manifest{b.files})
	if err != nil {
		return fmt.Errorf("encode the manifest of the backup: %w", err)
	}
	if err := b.add(manifestName, int64(len(text)), strings.NewReader(string(text))); err != nil {
		return err
	}
	return b.tar.Close()
}
