package config

import (
	"math"
	"strconv"
	"strings"
)

// ratePeriods are what may stand behind the slash, in the order in which
// rateText tries them.
var ratePeriods = []struct {
	name    string
	seconds float64
}{{"s", 1}, {"m", 60}, {"h", 3600}}

// maxRate bounds a rate, in requests a second: no registry serves more.
const maxRate = 10_000

// rate reads a number of requests in a period, in requests a second; 0 where
// none is written.
func (r *reader) rate(field, text string) float64 {
	if !r.has(field) {
		return 0
	}
	rate, ok := parseRate(text)
	switch {
	case !ok:
		r.add(field, text, "it is not a number of requests in a period", "write it as in 10/s, 100/m or 500/h")
	case rate <= 0:
		r.add(field, text, "at that rate nothing would ever be asked", "write more, or leave it out for the default")
	case rate > maxRate:
		r.add(field, text, "it is more than 10000 requests a second", "write less, or leave it out for the default")
	}
	return rate
}

// parseRate reads 10/s, 100/m or 0.5/h, in requests a second.
func parseRate(text string) (rate float64, ok bool) {
	number, period, ok := strings.Cut(text, "/")
	if !ok || strings.Trim(number, "0123456789.") != "" {
		return 0, false // ParseFloat takes much more, as 1e3 and 0x1p4
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	for _, p := range ratePeriods {
		if p.name == period {
			return n / p.seconds, true
		}
	}
	return 0, false
}

// rateText writes a rate as parseRate reads it, in the period that makes it a
// round number; empty for none.
func rateText(rate float64) string {
	if rate == 0 {
		return ""
	}
	for _, p := range ratePeriods {
		round := math.Round(rate*p.seconds*10) / 10
		text := strconv.FormatFloat(round, 'f', -1, 64) + "/" + p.name
		if again, ok := parseRate(text); ok && again == rate {
			return text
		}
	}
	return strconv.FormatFloat(rate, 'f', -1, 64) + "/s"
}
