package api_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(api.Duration(0).Schema(nil).Pattern)
	for text, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
		"3us": 3 * time.Microsecond, "3µs": 3 * time.Microsecond, "7ns": 7,
	} {
		var d api.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s: got %s %v", text, time.Duration(d), err)
		}
		if !pattern.MatchString(text) {
			t.Errorf("%s: the document would refuse it", text)
		}
		written, err := d.MarshalText()
		var again api.Duration
		if err != nil || again.UnmarshalText(written) != nil || again != d || !pattern.Match(written) {
			t.Errorf("%s: written as %s", text, written)
		}
	}
	for _, text := range []string{"", "5", "-5m", "5 m", "5d", "m", "1h-1m", "abc", "1e3s"} {
		d := api.Duration(7)
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %s", text, time.Duration(d))
		} else if d != 7 {
			t.Errorf("%q: refused, and %s all the same", text, time.Duration(d))
		}
		if pattern.MatchString(text) {
			t.Errorf("%q: the document would take it", text)
		}
	}
}

func TestDurationInJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(api.SubmitRun{Image: "jobs", WaitWarm: api.Duration(5 * time.Minute)})
	if err != nil || string(b) != `{"image":"jobs","wait_warm":"5m0s"}` {
		t.Errorf("%s %v", b, err)
	}
	if b, err = json.Marshal(api.SubmitRun{Image: "jobs"}); err != nil || string(b) != `{"image":"jobs"}` {
		t.Errorf("%s %v", b, err)
	}
	var r api.SubmitRun
	if err := json.Unmarshal([]byte(`{"wait_warm":"-1s"}`), &r); err == nil {
		t.Error("a negative duration was taken")
	}
}
