package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/api"
)

// lineStart is how the server begins a line.
const lineStart = `{"seq":7,"time":"2026-11-22T12:00:00.123456Z","engine_time":"2026-11-22T12:00:00.123456789Z","stream":"stdout","text":`

var loglines = []string{
	lineStart + `"one"}`,
	lineStart + `""}`,
	lineStart + `"no end","open":true}`,
	lineStart + `"no end","open":false}`,
	lineStart + `"tab \t quote \" back \\ é \u00e9 \ud83d\ude00"}`,
	lineStart + `"é 😀"}`,
	lineStart + "\"\xff\xfe\"}",
	lineStart + "\"a\tb\"}",
	lineStart + `"one","later":[1,{"a":"}"}]}`,
	lineStart + `"one"} `,
	lineStart + `"one"}}`,
	lineStart + `"one`,
	`{"seq":9223372036854775807,"time":"0001-01-01T00:00:00Z","stream":"prewarm","text":"lines 1 to 9 were cut"}`,
	`{"seq":9223372036854775808,"time":"0001-01-01T00:00:00Z","stream":"stdout","text":""}`,
	`{"seq":01,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":""}`,
	`{"seq":1_0,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":""}`,
	`{"seq":-1,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":""}`,
	`{"seq":,"time":"2026-11-22T12:00:00Z","stream":"stdout","text":""}`,
	`{"seq":1,"time":"2026-11-22T1:00:00Z","stream":"stdout","text":""}`,
	`{"seq":1,"time":"2026-11-22T12:00:00+02:00","stream":"stdout","text":""}`,
	`{"seq":1,"time":"yesterday","stream":"stdout","text":""}`,
	`{ "text":"in another order", "seq": 3, "stream":"stderr", "time":"2026-11-22T12:00:00Z" }`,
	`{}`,
	`null`,
	``,
	`<html>`,
}

// However a line is read, it means what encoding/json says.
func sameAsJSON(t *testing.T, line []byte) {
	t.Helper()
	var want api.LogLine
	wantErr := json.Unmarshal(line, &want)
	got, err := api.DecodeLine(line)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: %v, encoding/json says %v", line, err, wantErr)
	}
	if diff := cmp.Diff(want, got); err == nil && diff != "" {
		t.Errorf("%q (-json +ours):\n%s", line, diff)
	}
}

func TestALineMeansWhatJSONSays(t *testing.T) {
	t.Parallel()
	for _, line := range loglines {
		sameAsJSON(t, []byte(line+"\n"))
		sameAsJSON(t, []byte(line))
	}
}

func FuzzLine(f *testing.F) {
	for _, line := range loglines {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(sameAsJSON)
}

func BenchmarkDecodeLine(b *testing.B) {
	for name, text := range map[string]string{"plain": strings.Repeat("0123456789", 8), "escaped": strings.Repeat(`\"23456789`, 8)} {
		b.Run(name, func(b *testing.B) {
			at := time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC).Format(time.RFC3339Nano)
			line := fmt.Appendf(nil, `{"seq":1234567,"time":%q,"engine_time":%q,"stream":"stdout","text":"%s"}`+"\n", at, at, text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := api.DecodeLine(line); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
