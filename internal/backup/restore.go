package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/internal/failpoint"
	"github.com/prewarm/prewarm/internal/problem"
)

// A restore works inside the folder of the state, because that may be the root of
// a volume, which can't be renamed. Up to a rename that decides, nothing of the
// old state is touched; from it on, whoever opens the state finishes first. So
// there is one state or the other at any moment, whole.
const (
	draft   = "restore.draft"   // being written: worth nothing
	decided = "restore.decided" // whole: what is there is to go aside
	moving  = "restore.moving"  // what was there is aside: this is to be moved in
	content = "state"           // in each of them: the new state
	aside   = "replaced-"       // and the time: what a restore replaced
	// asideFile, beside the content, has the name of that; none: nothing was there.
	asideFile = "aside"
)

// Restore is one restore.
type Restore struct {
	// Dir is the folder of the state. The caller holds its lock.
	Dir string
	// Force moves a state that is there aside.
	Force bool
	// Accept says whether a backup can be used here, before anything is written.
	Accept func(Head) error
	// Prepare gets the folder of the new state before it is decided on.
	Prepare func(dir string, c Contents) error
}

// Result is what a restore did.
type Result struct {
	Contents
	// Aside is where the state went that was there; empty: there was none.
	Aside string
}

// Do makes a backup the state of the folder.
func (r Restore) Do(in io.Reader) (Result, error) {
	if err := Settle(r.Dir); err != nil {
		return Result{}, err
	}
	old, err := entries(r.Dir)
	if err != nil {
		return Result{}, err
	}
	if len(old) > 0 && !r.Force {
		return Result{}, problem.New(problem.StateNotEmpty, fmt.Sprintf("restore into %s: a state is there already (%s)", r.Dir, strings.Join(shortened(old), ", ")),
			"name an empty folder, or use --force, which moves what is there aside")
	}
	contents, err := r.write(in)
	if err != nil {
		return Result{}, errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, draft)))
	}
	result := Result{Contents: contents}
	if len(old) > 0 {
		name, err := r.nameAside()
		if err != nil {
			return Result{}, errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, draft)))
		}
		result.Aside = filepath.Join(r.Dir, name)
	}
	if err := settleTree(filepath.Join(r.Dir, draft), r.Dir); err != nil {
		return Result{}, errors.Join(fmt.Errorf("bring the new state to disk: %w", err), os.RemoveAll(filepath.Join(r.Dir, draft)))
	}
	if exists(r.Dir, LockName) { // root may have made it, and the server has to open it
		if err := own(filepath.Join(r.Dir, LockName), r.Dir); err != nil {
			return Result{}, errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, draft)))
		}
	}
	failpoint.Here("restore-written")
	if err := rename(r.Dir, draft, decided); err != nil {
		return Result{}, err
	}
	failpoint.Here("restore-decided")
	return result, Settle(r.Dir)
}

func shortened(names []string) []string {
	if len(names) > 4 {
		return append(names[:3:3], "…")
	}
	return names
}

// nameAside writes down where what is there is to go: whoever finishes the restore
// has to know it.
func (r Restore) nameAside() (string, error) {
	name := aside + time.Now().UTC().Format("20060102T150405.000Z")
	if exists(r.Dir, name) {
		return "", fmt.Errorf("move the state aside: %s is there already", filepath.Join(r.Dir, name))
	}
	return name, os.WriteFile(filepath.Join(r.Dir, draft, asideFile), []byte(name), 0o600)
}

// write puts what a backup holds into the draft, on disk.
func (r Restore) write(in io.Reader) (Contents, error) {
	folder := filepath.Join(r.Dir, draft, content)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Contents{}, fmt.Errorf("make the folder of the new state: %w", err)
	}
	contents, err := Read(in, Visitor{Head: r.Accept, File: func(name string, from io.Reader) error {
		failpoint.Here("restore-file")
		return writeFile(filepath.Join(folder, filepath.FromSlash(name)), from)
	}})
	if err == nil && r.Prepare != nil {
		err = r.Prepare(folder, contents)
	}
	return contents, err
}

func writeFile(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// settleTree brings a tree to disk, and gives it to whom the folder of the state
// belongs: root restores what another user serves.
func settleTree(root, dir string) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = own(path, dir)
		}
		if err == nil {
			err = syncPath(path)
		}
		return err
	})
}

// own gives what root made to the owner of the state's folder.
func own(path, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	whose, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return nil
	}
	return os.Lchown(path, int(whose.Uid), int(whose.Gid))
}
