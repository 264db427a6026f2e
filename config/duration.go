package config

import (
	"strings"
	"time"
)

// duration reads a length of time of at least least; standard where none is
// written.
func (r *reader) duration(field, text string, standard, least time.Duration) time.Duration {
	if !r.has(field) {
		return standard
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		r.add(field, text, "it is not a length of time", "write one in h, m and s, as in 90s, 10m or 1h30m")
	case d < least:
		r.add(field, text, "it is too short", "write "+durationText(least)+" or longer")
	}
	return d
}

// durationText writes a length of time as people do: 15m, not 15m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
