package api

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"
)

// decodeLine reads a line of a log. The server writes the fields of all of them
// in one order, so they can be read by hand, many times as fast. Whatever looks
// different is left to encoding/json.
func decodeLine(b []byte) (LogLine, error) {
	if l, ok := plainLine(b); ok {
		return l, nil
	}
	return decodeJSON[LogLine](b)
}

func plainLine(b []byte) (l LogLine, ok bool) {
	c := cursor{rest: b, ok: true}
	l.Seq = c.number(`{"seq":`)
	l.Time = c.time(`,"time":`)
	if c.has(`,"engine_time":`) {
		at := c.time("")
		l.EngineTime = &at
	}
	l.Stream = c.text(`,"stream":`)
	l.Text = c.text(`,"text":`)
	l.Open = c.has(`,"open":true`)
	c.expect("}\n")
	return l, c.ok && len(c.rest) == 0
}

// cursor goes through a line; ok is false as soon as something is not as
// expected.
type cursor struct {
	rest []byte
	ok   bool
}

// has goes over a word if it is next.
func (c *cursor) has(word string) bool {
	if len(c.rest) < len(word) || string(c.rest[:len(word)]) != word {
		return false
	}
	c.rest = c.rest[len(word):]
	return true
}

func (c *cursor) expect(word string) { c.ok = c.has(word) && c.ok }

func (c *cursor) number(before string) int64 {
	c.expect(before)
	end := bytes.IndexByte(c.rest, ',')
	if !c.ok || end <= 0 || c.rest[0] < '1' || c.rest[0] > '9' {
		c.ok = false
		return 0
	}
	n, err := strconv.ParseInt(string(c.rest[:end]), 10, 64)
	c.ok, c.rest = err == nil, c.rest[end:]
	return n
}

func (c *cursor) time(before string) (t time.Time) {
	if quoted := c.quoted(before); c.ok {
		c.ok = t.UnmarshalJSON(quoted) == nil
	}
	return t
}

func (c *cursor) text(before string) string {
	quoted := c.quoted(before)
	switch {
	case !c.ok:
		return ""
	case string(quoted) == `"stdout"`:
		return "stdout" // no copy for each line
	case bytes.IndexByte(quoted, '\\') < 0 && utf8.Valid(quoted):
		return string(quoted[1 : len(quoted)-1])
	}
	text, err := decodeJSON[string](quoted)
	c.ok = err == nil
	return text
}

// quoted gives a string with its quotes, as it stands there.
func (c *cursor) quoted(before string) []byte {
	c.expect(before)
	for i, b := range c.rest {
		switch {
		case i == 0 && b != '"', b < ' ':
			c.ok = false
			return nil
		case i > 0 && b == '"' && !escaped(c.rest[:i]):
			quoted := c.rest[:i+1]
			c.rest = c.rest[i+1:]
			return quoted
		}
	}
	c.ok = false
	return nil
}

// escaped tells whether what follows b is: whether b ends with an odd number of
// backslashes.
func escaped(b []byte) bool {
	return (len(b)-len(bytes.TrimRight(b, `\`)))%2 == 1
}
