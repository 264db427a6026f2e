package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// The types of this file write a field of the domain into a column and read it
// back: they point at the field, so that one list of fields serves both ways.

// moment is a time, in microseconds since 1970; 0 is the zero time.
type moment struct{ at *time.Time }

func asTime(t *time.Time) moment { return moment{t} }

func (m moment) Value() (driver.Value, error) { return micros(*m.at), nil }

func (m moment) Scan(v any) error {
	n, ok := v.(int64)
	*m.at = fromMicros(n)
	return expect(ok, v, "a time")
}

// flag is a bool, as 0 or 1.
type flag struct{ set *bool }

func asFlag(b *bool) flag { return flag{b} }

func (f flag) Value() (driver.Value, error) { return asInt(*f.set), nil }

func (f flag) Scan(v any) error {
	n, ok := v.(int64)
	*f.set = n == 1
	return expect(ok, v, "0 or 1")
}

// pinText is a pin as people write it; the zero pin is empty.
type pinText struct{ pin *registry.Pin }

func asPin(p *registry.Pin) pinText { return pinText{p} }

func (p pinText) Value() (driver.Value, error) { return p.pin.String(), nil }

func (p pinText) Scan(v any) (err error) {
	text, ok := v.(string)
	*p.pin = registry.Pin{}
	if text != "" {
		*p.pin, err = registry.ParsePin(text)
	}
	if err != nil {
		return err
	}
	return expect(ok, v, "a pin")
}

// object is whatever is JSON.
type object struct{ of any }

func asJSON(of any) object { return object{of} }

func (o object) Value() (driver.Value, error) {
	b, err := json.Marshal(o.of)
	return string(b), err
}

func (o object) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return expect(ok, v, "JSON")
	}
	return json.Unmarshal([]byte(text), o.of)
}

// exitCode is NULL where nothing exited.
type exitCode struct {
	code   *int
	exited *bool
}

func asExit(code *int, exited *bool) exitCode { return exitCode{code, exited} }

func (e exitCode) Value() (driver.Value, error) {
	if !*e.exited {
		return nil, nil
	}
	return int64(*e.code), nil
}

func (e exitCode) Scan(v any) error {
	n, ok := v.(int64)
	*e.code, *e.exited = int(n), ok
	return expect(ok || v == nil, v, "an exit code")
}

// expect tells of a column that holds something else.
func expect(ok bool, v any, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("want %s, not %T", what, v)
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// numbered gives the parameters from $first on, as many as there are columns
// in a list of names.
func numbered(first int, columns string) string {
	var b strings.Builder
	for i := range strings.Count(columns, ",") + 1 {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}
