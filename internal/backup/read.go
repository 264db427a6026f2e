package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Contents tells what a whole backup holds.
type Contents struct {
	Head  Head
	Files int   // of the state
	Bytes int64 // of those
}

// Visitor gets what a backup holds as it is read. An error of it ends the reading
// and comes back as it is.
type Visitor struct {
	// Head comes first; nil: it is of no interest.
	Head func(Head) error
	// File gets each file of the state, by its name in the state's folder. What it
	// does not read is read for it.
	File func(name string, r io.Reader) error
}

// Read reads a backup to its end and proves it: only when it returns without an
// error was what the visitor got a whole backup. One that is none is
// problem.BackupBroken.
func Read(r io.Reader, v Visitor) (Contents, error) {
	in := &archive{tar: tar.NewReader(r), visitor: v}
	err := in.read()
	var e *visitError
	switch {
	case errors.As(err, &e):
		return Contents{}, e.error
	case err != nil:
		return Contents{}, broken(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what fills the archive's last block, or a connection that breaks
		return Contents{}, broken(err)
	}
	return in.found, nil
}

func broken(err error) error {
	return problem.Wrap(problem.BackupBroken, err, "read the backup: it is not a whole one", "use another copy of it, or an earlier backup")
}

// visitError is one of the visitor's own.
type visitError struct{ error }

func visited(err error) error {
	if err != nil {
		return &visitError{err}
	}
	return nil
}

// archive is a backup that is being read.
type archive struct {
	tar     *tar.Reader
	visitor Visitor
	files   []sum
	found   Contents
}

func (a *archive) read() error {
	for {
		header, err := a.tar.Next()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("it ends before its manifest: it was cut short, or is not a backup")
		case err != nil:
			return err
		case header.Typeflag != tar.TypeReg:
			return fmt.Errorf("%q is no plain file", header.Name)
		case len(a.files) == 0 && header.Name != headName:
			return fmt.Errorf("it begins with %q, and a backup with %s", header.Name, headName)
		case header.Name == manifestName:
			return a.prove()
		}
		if err := a.file(header); err != nil {
			return err
		}
	}
}

// file reads one file, and notes what came.
func (a *archive) file(header *tar.Header) error {
	h := sha256.New()
	r := io.TeeReader(a.tar, h)
	if err := a.pass(header.Name, r); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	a.files = append(a.files, sum{header.Name, header.Size, hex.EncodeToString(h.Sum(nil))})
	return nil
}

func (a *archive) pass(name string, r io.Reader) error {
	if len(a.files) == 0 {
		return a.head(r)
	}
	inside, ok := strings.CutPrefix(name, stateFolder)
	if !ok || !placed(inside) {
		return fmt.Errorf("%q has no place in a backup", name)
	}
	if a.visitor.File == nil {
		return nil
	}
	in := &failing{Reader: r}
	err := a.visitor.File(inside, in)
	if in.err != nil {
		return in.err // the archive's fault, whatever the visitor made of it
	}
	return visited(err)
}

// failing remembers how reading failed.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

func (a *archive) head(r io.Reader) error {
	if err := json.NewDecoder(r).Decode(&a.found.Head); err != nil {
		return fmt.Errorf("%s: %w", headName, err)
	}
	if f := a.found.Head.Format; f != format {
		return visited(problem.New(problem.StateNewer,
			fmt.Sprintf("read the backup: its format is %d, and this prewarm knows %d", f, format), "restore it with the version that made it: "+a.found.Head.Version))
	}
	if a.visitor.Head == nil {
		return nil
	}
	return visited(a.visitor.Head(a.found.Head))
}

// prove holds what came against the manifest.
func (a *archive) prove() error {
	var m manifest
	if err := json.NewDecoder(a.tar).Decode(&m); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	if !slices.Equal(m.Files, a.files) {
		return fmt.Errorf("its manifest names %d files, and %d came, or other ones: it was changed, or damaged", len(m.Files), len(a.files))
	}
	if _, err := a.tar.Next(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its manifest")
	}
	for _, f := range a.files[1:] {
		a.found.Files++
		a.found.Bytes += f.Size
	}
	return nil
}
