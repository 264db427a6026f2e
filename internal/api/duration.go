package api

import (
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Duration is a span of time, written as Go does: 90s, 5m, 1h30m.
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration; a negative one is refused.
func (d *Duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %q: write it as 90s, 5m or 1h30m", b)
	}
	if parsed < 0 {
		return fmt.Errorf("duration %q: it can't be negative", b)
	}
	*d = Duration(parsed)
	return nil
}

// Schema describes the duration in the OpenAPI document.
func (Duration) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"5m"},
		Description: "A span of time as Go writes it: 90s, 5m, 1h30m.",
	}
}
