package main

import (
	"fmt"
	"os"
	"strings"
)

// document is a Markdown file with a place for what a benchmark printed: between
// two comments that name it.
type document struct {
	path, text string
}

func placeBegin(name string) string { return "<!-- bench " + name + " -->\n" }

const placeEnd = "<!-- end -->\n"

// openDocument reads a document and wants a place for each benchmark in it, so
// that nothing is measured in vain.
func openDocument(path string, chosen []benchmark) (*document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the document that gets the figures: %w", err)
	}
	d := &document{path: path, text: string(text)}
	for _, b := range chosen {
		if _, err := d.with(b.name, ""); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// with gives the text with content in a benchmark's place.
func (d *document) with(name, content string) (string, error) {
	before, rest, begun := strings.Cut(d.text, placeBegin(name))
	_, after, ended := strings.Cut(rest, placeEnd)
	if !begun || !ended {
		return "", fmt.Errorf("%s has no place for %s: put %q and %q, each in a line of its own, where its figures are to be",
			d.path, name, strings.TrimSpace(placeBegin(name)), strings.TrimSpace(placeEnd))
	}
	return before + placeBegin(name) + content + placeEnd + after, nil
}

// put writes content into a benchmark's place.
func (d *document) put(name, content string) error {
	text, err := d.with(name, content)
	if err != nil {
		return err
	}
	d.text = text
	if err := os.WriteFile(d.path, []byte(d.text), 0o644); err != nil { //nolint:gosec // a document is for everybody
		return fmt.Errorf("write the document that gets the figures: %w", err)
	}
	return nil
}

// section is what goes into a benchmark's place: how it is measured again, where
// it was measured, and what came out.
func section(args []string, machine string, t table) string {
	return fmt.Sprintf("\n```console\ngo run ./test/bench %s\n```\n\n> %s\n\n%s:\n\n%s\n", strings.Join(args, " "), machine, t.title, t.body())
}
