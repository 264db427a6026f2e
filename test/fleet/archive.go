package fleet

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// addTree writes a folder's content into an archive, in the order of names and
// with one date for all, so that equal trees make equal layers. Of folders
// that skip names, only the folder itself is kept. What is no file, folder or
// link (sockets, devices) is left out: engines bring their own.
func addTree(w *tar.Writer, root string, skip func(name string) bool) error {
	links := map[uint64]string{} // inode → the name under which its content is
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if skip(filepath.Dir(name)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return addEntry(w, path, name, info, links)
	})
}

// addEntry writes one entry. A file with several names is written once and
// linked then: else perl alone would be in the layer twice.
func addEntry(w *tar.Writer, path, name string, info fs.FileInfo, links map[uint64]string) error {
	h, err := header(path, name, info)
	if err != nil || h == nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && h.Typeflag == tar.TypeReg && st.Nlink > 1 {
		if first, ok := links[st.Ino]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			links[st.Ino] = name
		}
	}
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	return copyFile(w, path)
}

// header makes the header of a file, folder or link, and none of others.
func header(path, name string, info fs.FileInfo) (*tar.Header, error) {
	target := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		t, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		target = t
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil, nil
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", name, err)
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	// The names of users are this machine's; the numbers are the layer's.
	h.Uname, h.Gname = "", ""
	h.ModTime = created()
	return h, nil
}

// addFile writes one program or library under another name, owned by root.
func addFile(w *tar.Writer, path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	if err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: programMode, Size: info.Size(), ModTime: created(),
	}); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	return copyFile(w, path)
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("archive %s: %w", path, err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("archive %s: %w", path, err)
	}
	return nil
}
