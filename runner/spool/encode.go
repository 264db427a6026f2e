package spool

import (
	"strconv"
	"unicode/utf8"
)

// lineHead is what stands before the number of each line.
const lineHead = `{"seq":`

// appendEntry appends e as encoding/json would write it without its HTML
// escapes, and a line feed. It is written out by hand because a log is written
// a million times as often as anything else here.
func appendEntry(b []byte, e Entry) ([]byte, error) {
	b = append(b, lineHead...)
	b = strconv.AppendInt(b, e.Seq, 10)
	b = append(b, `,"time":"`...)
	b, err := e.Time.AppendText(b)
	if err != nil {
		return nil, err
	}
	if !e.EngineTime.IsZero() {
		b = append(b, `","engine_time":"`...)
		if b, err = e.EngineTime.AppendText(b); err != nil {
			return nil, err
		}
	}
	b = append(b, `","stream":"`...)
	b = appendText(b, e.Stream)
	b = append(b, `","text":"`...)
	b = appendText(b, e.Text)
	b = append(b, '"')
	if e.Open {
		b = append(b, `,"open":true`...)
	}
	return append(b, "}\n"...), nil
}

// plain tells of each byte whether a JSON string has it as it is.
var plain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// appendText appends the inside of a JSON string.
func appendText(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		if s[i] < utf8.RuneSelf {
			b = append(b, s[from:i]...)
			b = appendEscaped(b, s[i])
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, s[from:i]...)
			b = append(b, `\ufffd`...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(b, s[from:i]...)
			b = append(b, `\u202`...)
			b = append(b, hex[r&0xf])
			from = i + size
		}
		i += size
	}
	return append(b, s[from:]...)
}

const hex = "0123456789abcdef"

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
