package notify

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// The bounds of what a message says, in bytes.
const (
	maxTitle  = 250
	maxText   = 16 << 10
	maxOutput = 64 << 10 // of a template, before it is cut
)

// words write what messages say, by the templates of a route.
type words struct {
	title, text *template.Template // nil: the standard one
}

// CheckTemplate refuses templates of a title and a text that can't be executed
// for events of every kind. Either may be empty. The error is
// problem.InvalidConfig.
func CheckTemplate(title, text string) error {
	_, err := newWords(title, text)
	return err
}

func newWords(title, text string) (*words, error) {
	w := &words{}
	for name, part := range map[string]struct {
		text string
		into **template.Template
	}{"title": {title, &w.title}, "text": {text, &w.text}} {
		if part.text == "" {
			continue
		}
		t, err := template.New(name).Funcs(functions).Option("missingkey=zero").Parse(part.text)
		if err == nil {
			err = try(t)
		}
		if err != nil {
			return nil, problem.New(problem.InvalidConfig, fmt.Sprintf("the template of the %s can't be used: %v", name, err),
				"docs/notices.md lists the fields and functions; prewarm notify test shows what comes out")
		}
		*part.into = t
	}
	return w, nil
}

// try executes a template for a sample of every kind.
func try(t *template.Template) error {
	for _, kind := range notice.Kinds {
		if _, err := execute(t, dataOf(sampleOf("sample", kind, time.Now()))); err != nil {
			return fmt.Errorf("for %s: %w", kind, err)
		}
	}
	return nil
}

// functions are what templates have beside those of Go.
var functions = template.FuncMap{
	"short":    shortDigest,
	"duration": duration,
	"time":     stamp,
	"upper":    strings.ToUpper,
	"lower":    strings.ToLower,
	"trim":     strings.TrimSpace,
	"join":     func(separator string, all []string) string { return strings.Join(all, separator) },
	"replace":  func(old, by, s string) string { return strings.ReplaceAll(s, old, by) },
	"default": func(other, s string) string {
		if s == "" {
			return other
		}
		return s
	},
}

// write fills in what a message says. A template that fails for it gives way to
// the standard words.
func (w *words) write(m *notice.Message, page func(run string) string) {
	m.Link = linkOf(m.Newest(), page)
	d := dataOf(*m)
	m.Title = cut(oneLine(said(w.title, d, d.Title)), maxTitle)
	m.Text = cut(strings.TrimSpace(said(w.text, d, d.Text)), maxText)
}

func said(t *template.Template, d Data, standard string) string {
	if t == nil {
		return standard
	}
	text, err := execute(t, d)
	if err != nil || strings.TrimSpace(text) == "" {
		return standard
	}
	return text
}

func execute(t *template.Template, d Data) (string, error) {
	var out bounded
	if err := t.Execute(&out, d); err != nil {
		return "", err
	}
	return out.String(), nil
}

// bounded takes no more than maxOutput.
type bounded struct{ strings.Builder }

var errTooLong = errors.New("it writes more than 64 KiB")

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cut shortens a text to so many bytes, and says that it did.
func cut(s string, most int) string {
	const mark = "…"
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) <= most {
		return s
	}
	s = s[:most-len(mark)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + mark
}

// withLoss is a text that tells of the messages that were dropped before.
func withLoss(m notice.Message) string {
	switch m.Lost {
	case 0:
		return m.Text
	case 1:
		return m.Text + "\n\n1 notice was dropped before this one, since nobody took it."
	}
	return fmt.Sprintf("%s\n\n%d notices were dropped before this one, since nobody took them.", m.Text, m.Lost)
}
