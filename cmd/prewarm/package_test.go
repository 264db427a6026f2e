package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var packageDir = flag.String("package", "", "`folder` to write the manual pages and completions to")

// What packages bring beside the program is made from the commands themselves:
// tools/package.sh has it written to a folder by go test -run TestPackage -package.
func TestPackage(t *testing.T) {
	t.Setenv("PREWARM_URL", "") // it would show as the flag's default
	dir := *packageDir
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRoot()
	root.DisableAutoGenTag = true // it has today's date
	man := filepath.Join(dir, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		t.Fatal(err)
	}
	// The date is SOURCE_DATE_EPOCH, where it is set.
	header := doc.GenManHeader{Section: "1", Source: "Prewarm", Manual: "Prewarm"}
	if err := doc.GenManTree(root, &header, man); err != nil {
		t.Fatal(err)
	}
	for _, verb := range append(verbs(root), root) {
		if verb.Name() == "help" { // cobra's own
			continue
		}
		page := filepath.Join(man, strings.ReplaceAll(verb.CommandPath(), " ", "-")+".1")
		text, err := os.ReadFile(page)
		if err != nil || !strings.Contains(string(text), ".SH SYNOPSIS") {
			t.Errorf("%s has no manual page: %v", verb.CommandPath(), err)
		}
	}
	completions(t, root, filepath.Join(dir, "completions"))
}

// completions writes them under the names by which the shells find them.
func completions(t *testing.T, root *cobra.Command, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(string) error{
		"prewarm.bash": func(file string) error { return root.GenBashCompletionFileV2(file, true) },
		"_prewarm":     root.GenZshCompletionFile,
		"prewarm.fish": func(file string) error { return root.GenFishCompletionFile(file, true) },
	} {
		file := filepath.Join(dir, name)
		if err := write(file); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "prewarm") {
			t.Errorf("%s completes nothing: %v", name, err)
		}
	}
}
