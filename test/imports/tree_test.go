package imports

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/prewarm/prewarm"

// source is a package as its files import, whatever their build tags. Names of
// ours are without the module.
type source struct {
	path string
	// imports and tests are what the package and what its tests import.
	imports, tests []string
}

// readTree reads the packages below root. It reads the files itself instead of
// asking go list: then the go command knows what this test depends on and never
// answers it from its cache, and files with build tags count too.
func readTree(root string) ([]source, error) {
	all := map[string]*source{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && skipped(entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		s := all[dir]
		if s == nil {
			s = &source{path: filepath.ToSlash(dir)}
			all[dir] = s
		}
		return s.read(name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	list := make([]source, 0, len(all))
	for _, s := range slices.SortedFunc(maps.Values(all), func(a, b *source) int { return cmp.Compare(a.path, b.path) }) {
		list = append(list, *s)
	}
	return list, nil
}

// skipped tells what the go command does not look into.
func skipped(dir string) bool {
	return dir == "testdata" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
}

// read adds the imports of a file.
func (s *source) read(name string) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	into := &s.imports
	if strings.HasSuffix(name, "_test.go") {
		into = &s.tests
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !slices.Contains(*into, imported) {
			*into = append(*into, imported)
		}
	}
	return nil
}

// ours gives the name of a package of ours without the module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// below tells whether an import is a path or a part of what it covers.
func below(imported, prefix string) bool {
	return imported == prefix || strings.HasPrefix(imported, prefix+"/")
}

// standard tells whether an import is of the standard library: the others have
// a dot in their first element.
func standard(imported string) bool {
	first, _, _ := strings.Cut(path.Clean(imported), "/")
	return !strings.Contains(first, ".")
}
