//go:build install

package install

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A page of docs as a reader follows it: files that are written, and commands
// that are typed, in order.
type page struct{ steps []step }

// step is a command with what is shown below it, or a file.
type step struct {
	line    int // in the page
	command string
	shown   []string // output; none: not compared
	file    string   // its name, instead of a command
	text    string
}

var fileName = regexp.MustCompile("`([^`]+)`:$")

// readPage takes a page apart. Each fenced block is one of console, in which
// lines with a $ are commands, or the text of a file that the line before it
// names. Anything else is refused: nothing in the page is beyond the test.
func readPage(text string) (page, error) {
	var p page
	lines := strings.Split(text, "\n")
	before := ""
	for i := 0; i < len(lines); i++ {
		language, fence := strings.CutPrefix(lines[i], "```")
		if !fence {
			if lines[i] != "" {
				before = lines[i]
			}
			continue
		}
		begin := i + 1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		if i == len(lines) {
			return p, fmt.Errorf("line %d: the block has no end", begin)
		}
		err := p.block(language, before, begin, lines[begin:i])
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *page) block(language, before string, begin int, lines []string) error {
	if language != "console" {
		name := fileName.FindStringSubmatch(before)
		if name == nil || filepath.IsAbs(name[1]) {
			return fmt.Errorf("line %d: a block of %q is no console, and the line before it names no file", begin, language)
		}
		p.steps = append(p.steps, step{line: begin, file: name[1], text: strings.Join(lines, "\n") + "\n"})
		return nil
	}
	for i, line := range lines {
		command, ok := strings.CutPrefix(line, "$ ")
		switch {
		case ok:
			p.steps = append(p.steps, step{line: begin + i + 1, command: command})
		case i == 0:
			return fmt.Errorf("line %d: the block begins with no command", begin+1)
		default:
			last := &p.steps[len(p.steps)-1]
			last.shown = append(last.shown, line)
		}
	}
	return nil
}

// pattern is what output has to look like: … stands for anything in a line, and
// for any lines where it is a line. Blanks of columns count as one.
func pattern(shown []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range shown {
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(strings.Join(strings.Fields(line), " "), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

// plainText is output as pattern compares it.
func plainText(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return b.String()
}

func TestPage(t *testing.T) {
	t.Parallel()
	good := "Words.\n\nThis is `a.txt`:\n\n```text\none\n```\n\n```console\n$ cat a.txt | sed s/one/two/\ntwo\n$ true\n```\n"
	p, err := readPage(good)
	if err != nil || len(p.steps) != 3 || p.steps[0].file != "a.txt" || p.steps[1].shown[0] != "two" || p.steps[2].shown != nil {
		t.Errorf("got %+v, %v", p, err)
	}
	for name, text := range map[string]string{
		"another language":       "Words.\n```sh\ntrue\n```\n",
		"no language":            "```\n$ true\n```\n",
		"output of no command":   "```console\ntrue\n```\n",
		"a block without an end": "```console\n$ true\n",
		"a file at large":        "It is `/etc/passwd`:\n```text\n```\n",
	} {
		if p, err := readPage(text); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shown  string
		output string
		want   bool
	}{
		{"one", "one\n", true},
		{"one", "one\ntwo\n", false},
		{"one", "", false},
		{"one\n…", "one\ntwo\nthree\n", true},
		{"…\none", "one\n", true},
		{"…\none", "one\ntwo\n", false},
		{"sha256:… a", "sha256:0123  a\n", true},
		{"sha256:… a", "sha256:0123\na\n", false},
		{"a.c", "abc\n", false},
	} {
		if got := pattern(strings.Split(c.shown, "\n")).MatchString(plainText(c.output)); got != c.want {
			t.Errorf("%q on %q: %v", c.shown, c.output, got)
		}
	}
}
