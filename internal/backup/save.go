package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Save makes a file of the backup that fetch writes. It is written beside the
// file's name, which appears once the backup is proven and on disk. A file that is
// there is replaced only with force, and nothing else ever.
func Save(path string, force bool, fetch func(io.Writer) (Contents, error)) (Contents, error) {
	if err := mayWrite(path, force); err != nil {
		return Contents{}, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part") // for its owner alone
	if err != nil {
		return Contents{}, fmt.Errorf("write the backup: %w", err)
	}
	contents, err := fetch(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = publish(f.Name(), path, force)
	}
	if err != nil {
		return Contents{}, errors.Join(err, os.Remove(f.Name()))
	}
	return contents, syncPath(filepath.Dir(path))
}

// mayWrite refuses a file that is there, and what is no file: a rename would
// replace /dev/null, too.
func mayWrite(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write the backup: %w", err)
	case info.IsDir() || info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
		return fmt.Errorf("write the backup: %s is no file; name one, or write to standard output by -", path)
	case !force:
		return fmt.Errorf("write the backup: %s exists already; choose another name, or use --force to replace it", path)
	}
	return nil
}

// publish gives a file its name. A link fails where the name is taken, however
// shortly; some file systems know none.
func publish(from, to string, force bool) error {
	if !force {
		err := os.Link(from, to)
		if err == nil {
			return os.Remove(from)
		}
		if err := mayWrite(to, false); err != nil {
			return err
		}
	}
	return os.Rename(from, to)
}
