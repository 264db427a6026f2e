package spool

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// decode reads a line, without its line feed.
func decode(line []byte) (Entry, error) {
	if e, ok := decodeOwn(line); ok {
		return e, nil
	}
	var e Entry
	err := json.Unmarshal(line, &e)
	return e, err
}

// decodeOwn reads what appendEntry writes, several times as fast as encoding/json.
// What it does not know it leaves to that.
func decodeOwn(line []byte) (e Entry, ok bool) {
	p := parser{rest: line}
	p.skip(lineHead)
	e.Seq = p.number()
	p.skip(`,"time":"`)
	p.fail(e.Time.UnmarshalText(p.until('"')) != nil)
	p.skip(`,"`)
	if p.optional(`engine_time":"`) {
		p.fail(e.EngineTime.UnmarshalText(p.until('"')) != nil)
		p.skip(`,"`)
	}
	p.skip(`stream":"`)
	e.Stream = stream(p.text())
	p.skip(`,"text":"`)
	e.Text = string(p.text())
	e.Open = p.optional(`,"open":true`)
	p.skip(`}`)
	return e, !p.failed && len(p.rest) == 0
}

// stream gives the words of all lines without making each anew.
func stream(b []byte) string {
	for _, known := range [...]string{"stdout", "stderr", server} {
		if string(b) == known {
			return known
		}
	}
	return string(b)
}

// parser walks over a line. Once it failed it stays where it is.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) fail(so bool) { p.failed = p.failed || so }

func (p *parser) optional(word string) bool {
	if p.failed || len(p.rest) < len(word) || string(p.rest[:len(word)]) != word {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

func (p *parser) skip(word string) { p.fail(!p.optional(word)) }

// until gives what stands before the next c, and goes behind that.
func (p *parser) until(c byte) []byte {
	i := bytes.IndexByte(p.rest, c)
	p.fail(i < 0)
	if p.failed {
		return nil
	}
	b := p.rest[:i]
	p.rest = p.rest[i+1:]
	return b
}

// number reads an integer as far as it goes.
func (p *parser) number() int64 {
	n, size := number(p.rest)
	p.fail(size == 0)
	if p.failed {
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

// number gives the positive number with which b begins, and its length; 0 where
// there is none, or one that no log reaches.
func number(b []byte) (n int64, size int) {
	for size < len(b) && b[size]-'0' <= 9 {
		n = 10*n + int64(b[size]-'0')
		size++
	}
	if size > 18 || size > 0 && b[0] == '0' {
		return 0, 0
	}
	return n, size
}

// text reads the inside of a JSON string and goes behind its end.
func (p *parser) text() []byte {
	end := 0
	for end < len(p.rest) && (plain[p.rest[end]] || p.rest[end] >= utf8.RuneSelf) {
		end++
	}
	p.fail(end == len(p.rest))
	if p.failed {
		return nil
	}
	b := p.rest[:end]
	if p.rest[end] == '\\' {
		b, end = p.unescape(end)
	}
	p.fail(end >= len(p.rest) || p.rest[end] != '"' || !utf8.Valid(b))
	if p.failed {
		return nil
	}
	p.rest = p.rest[end+1:]
	return b
}

// unescape gives the text up to the quote that ends it, and where that is. Of
// its first bytes it is known that they need nothing.
func (p *parser) unescape(known int) (b []byte, end int) {
	b = append(make([]byte, 0, len(p.rest)), p.rest[:known]...)
	for i := known; i < len(p.rest); {
		c := p.rest[i]
		switch {
		case c == '"':
			return b, i
		case c == '\\':
			var size int
			if b, size = appendUnescaped(b, p.rest[i:]); size == 0 {
				return nil, len(p.rest)
			}
			i += size
		case plain[c] || c >= utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			return nil, len(p.rest)
		}
	}
	return nil, len(p.rest)
}

// appendUnescaped appends what the escape means with which s begins, and gives
// its length; 0: it is not one of ours.
func appendUnescaped(b, s []byte) ([]byte, int) {
	if len(s) < 2 {
		return b, 0
	}
	if i := bytes.IndexByte([]byte(`"\bfnrt`), s[1]); i >= 0 {
		return append(b, "\"\\\b\f\n\r\t"[i]), 2
	}
	if s[1] != 'u' || len(s) < 6 {
		return b, 0
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return b, 0 // half of a pair
	}
	return utf8.AppendRune(b, rune(n)), 6
}
