package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresGoIntoTheirPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "figures.md")
	text := "# Figures\n\n<!-- bench run -->\nkept\n<!-- end -->\n\n<!-- bench footprint -->\nold\n<!-- end -->\n\nAfter.\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDocument(path, []benchmark{{name: "footprint"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds the place again
		answer := table{title: "A server", columns: []string{"measured"}}
		answer.add("12 MB")
		if err := d.put("footprint", section([]string{"-hosts", "2", "footprint"}, "2 cores.", answer)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Figures\n\n<!-- bench run -->\nkept\n<!-- end -->\n\n<!-- bench footprint -->\n" +
		"\n```console\ngo run ./test/bench -hosts 2 footprint\n```\n\n> 2 cores.\n\nA server:\n\n| measured |\n|---|\n| 12 MB |\n\n<!-- end -->\n\nAfter.\n"
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A document without a place is refused before anything is measured.
func TestADocumentWithoutAPlaceIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "figures.md")
	for _, text := range []string{"", "<!-- bench footprint -->\nwithout an end\n", "<!-- bench run -->\n<!-- end -->\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openDocument(path, []benchmark{{name: "footprint"}}); err == nil || !strings.Contains(err.Error(), "no place for footprint") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := openDocument(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that is not there was read")
	}
}

// docs/benchmarks.md has the place that its command writes to.
func TestTheDocumentHasAPlaceForTheFootprint(t *testing.T) {
	t.Parallel()
	if _, err := openDocument("../../docs/benchmarks.md", []benchmark{{name: "footprint"}}); err != nil {
		t.Error(err)
	}
}
