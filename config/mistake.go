package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Mistake is one thing that is wrong with a configuration. It never holds a
// secret.
type Mistake struct {
	File  string `json:"file"`            // the file as it was named, or the environment variable
	Line  int    `json:"line,omitempty"`  // in File, from 1; 0 where it can't be told
	Field string `json:"field,omitempty"` // images[0].track.tag; empty when it is the file as a whole
	Value string `json:"value,omitempty"` // what was written, where it can be shown
	Why   string `json:"why"`
	Mend  string `json:"mend"`
}

// String is the mistake in one line: file:line: field "value": why; mend.
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	b.WriteString(": ")
	if m.Field != "" {
		b.WriteString(m.Field)
		if m.Value != "" {
			fmt.Fprintf(&b, " %q", m.Value)
		}
		b.WriteString(": ")
	}
	return b.String() + m.Why + "; " + m.Mend
}

// Mistakes is everything that is wrong with a configuration, sorted by File and
// Line.
type Mistakes []Mistake

// Error is the one mistake, or their number and a line for each.
func (ms Mistakes) Error() string {
	if len(ms) == 1 {
		return ms[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d mistakes:", len(ms))
	for _, m := range ms {
		b.WriteString("\n  " + m.String())
	}
	return b.String()
}

// Unwrap gives the same as one *problem.Error, for those who only print it.
func (ms Mistakes) Unwrap() error {
	return problem.New(problem.InvalidConfig, ms.Error(), "")
}

func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return ms
}

// maxShown bounds how much of a wrong value is repeated, in bytes.
const maxShown = 100

// shown is how a value looks in a message: what stands where a URL has its
// credentials is masked, and what is long is cut.
func shown(value string) string {
	head, tail := value, ""
	if i := strings.Index(value, "@sha256:"); i >= 0 {
		head, tail = value[:i], value[i:]
	}
	if i := strings.LastIndex(head, "@"); i >= 0 {
		start := strings.LastIndexAny(head[:i], " \t\n") + 1
		if j := strings.Index(head[:i], "://"); j >= 0 {
			start = j + len("://")
		}
		if start < i {
			value = head[:start] + masked + head[i:] + tail
		}
	}
	if len(value) > maxShown {
		value = strings.ToValidUTF8(value[:maxShown], "") + "…"
	}
	return value
}

// firstWord is value up to its first blank. Around a password no more is shown:
// where a colon was forgotten, YAML joins the password's line to the one before.
func firstWord(value string) string {
	if i := strings.IndexAny(value, " \t\n\r"); i >= 0 {
		return value[:i] + " …"
	}
	return value
}
