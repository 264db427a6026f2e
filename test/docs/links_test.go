// Package docs holds the pages against each other and against the tree: a link
// that leads nowhere is a fault like any other.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// top is the top of the project, from here.
const top = "../.."

// ours begins an absolute link into the project.
const ours = "https://github.com/prewarm/prewarm/blob/main/"

// pages are all pages of the project, by their paths from the top.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != top && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			rel, err := filepath.Rel(top, path)
			all = append(all, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 || !slices.Contains(all, "README.md") || !slices.Contains(all, "docs/errors.md") {
		t.Fatalf("these are not all pages: %q", all)
	}
	return all
}

func read(t *testing.T, page string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every link within the project leads to a file, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range pages(t) {
		for _, target := range linksOf(read(t, page)) {
			links++
			if wrong := follow(t, page, target); wrong != "" {
				t.Errorf("%s links to %s: %s", page, target, wrong)
			}
		}
	}
	if links < 200 {
		t.Errorf("only %d links were found", links)
	}
}

// Every page of docs can be found from the README or the overview of installing.
func TestPagesAreListed(t *testing.T) {
	t.Parallel()
	listed := make(map[string]bool)
	for _, page := range []string{"README.md", "docs/install/README.md"} {
		for _, target := range linksOf(read(t, page)) {
			target, _, _ = strings.Cut(target, "#")
			listed[filepath.ToSlash(filepath.Join(filepath.Dir(page), target))] = true
		}
	}
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && !listed[page] {
			t.Errorf("neither README.md nor docs/install/README.md links to %s", page)
		}
	}
}

// follow says what is wrong with a link of a page; empty: nothing, or it leads
// out of the project.
func follow(t *testing.T, page, target string) string {
	t.Helper()
	path, anchor, _ := strings.Cut(target, "#")
	switch {
	case strings.HasPrefix(target, ours):
		path = strings.TrimPrefix(path, ours)
	case strings.Contains(target, "://"), strings.HasPrefix(target, "mailto:"):
		return ""
	case path == "":
		path = page
	default:
		path = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
	}
	if _, err := os.Stat(filepath.Join(top, path)); err != nil {
		return "there is no " + path
	}
	if anchor != "" && strings.HasSuffix(path, ".md") && !slices.Contains(anchorsOf(read(t, path)), anchor) {
		return fmt.Sprintf("%s has no heading #%s", path, anchor)
	}
	return ""
}

var (
	links    = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	spans    = regexp.MustCompile("(`+)[^`].*?`+")
	absolute = regexp.MustCompile(regexp.QuoteMeta(ours) + `[^\s)"'>` + "`]+")
	anchors  = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
)

// linksOf are the targets of a page's links, without what stands in code. A
// link's text may be code.
func linksOf(text string) []string {
	var all []string
	for _, line := range prose(text) {
		for _, found := range links.FindAllStringSubmatch(spans.ReplaceAllString(line, "code"), -1) {
			all = append(all, found[1])
		}
	}
	return append(all, absolute.FindAllString(text, -1)...)
}

// prose are the lines of a page that stand in no fenced block.
func prose(text string) []string {
	var lines []string
	fence := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && (strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~")):
			fence = trimmed[:3]
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence = ""
		case fence == "":
			lines = append(lines, line)
		}
	}
	return lines
}

// anchorsOf are the anchors of a page, as GitHub makes them of its headings.
func anchorsOf(text string) []string {
	var all []string
	seen := make(map[string]int)
	for _, line := range prose(text) {
		for _, found := range anchors.FindAllStringSubmatch(line, -1) {
			all = append(all, found[1])
		}
		title := strings.TrimLeft(line, "#")
		if level := len(line) - len(title); level == 0 || level > 6 || !strings.HasPrefix(title, " ") {
			continue
		}
		slug := slugOf(title)
		if n := seen[slug]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", slug, n))
		} else {
			all = append(all, slug)
		}
		seen[slug]++
	}
	return all
}

var linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// slugOf is the anchor of a heading: lower case, blanks as hyphens, and nothing
// but letters, digits, hyphens and underscores.
func slugOf(title string) string {
	title = linkText.ReplaceAllString(strings.TrimSpace(title), "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	t.Parallel()
	text := "# `prewarm run`, and more\n```\n# no heading\n```\n## image_not_warm\n## Same\n## Same\n## [A link](x.md) ü\n#nothing\n<a id=\"here\">\n"
	want := []string{"prewarm-run-and-more", "image_not_warm", "same", "same-1", "a-link-ü", "here"}
	if got := anchorsOf(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinksAreFound(t *testing.T) {
	t.Parallel()
	text := "[a](b.md) and [`c`](d.md#e), `[not](this.md)`\n```\n[nor](that.md)\n```\n![p](q.png \"r\") <" + ours + "docs/x.md#y>\n"
	want := []string{"b.md", "d.md#e", "q.png", ours + "docs/x.md#y"}
	if got := linksOf(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
