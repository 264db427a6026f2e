package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// at is a Wednesday.
var at = time.Date(2026, 4, 15, 10, 20, 30, 500, time.UTC)

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"17 3 * * *":                       "2026-04-16T03:17:00Z",
		"*/15 * * * *":                     "2026-04-15T10:30:00Z",
		"0 9-17 * * mon-fri":               "2026-04-15T11:00:00Z",
		"0 0 1 jan ?":                      "2027-01-01T00:00:00Z",
		"  0\t0 * *   sun ":                "2026-04-19T00:00:00Z",
		"0 0 29 2 *":                       "2028-02-29T00:00:00Z",
		"@hourly":                          "2026-04-15T11:00:00Z",
		"@daily":                           "2026-04-16T00:00:00Z",
		"@midnight":                        "2026-04-16T00:00:00Z",
		"@weekly":                          "2026-04-19T00:00:00Z",
		"@monthly":                         "2026-05-01T00:00:00Z",
		"@yearly":                          "2027-01-01T00:00:00Z",
		"@annually":                        "2027-01-01T00:00:00Z",
		"@every 1s":                        "2026-04-15T10:20:31.0000005Z",
		"@every  1h30m":                    "2026-04-15T11:50:30.0000005Z",
		"CRON_TZ=Europe/Berlin 0 9 * * *":  "2026-04-16T07:00:00Z",
		"CRON_TZ=America/New_York @daily":  "2026-04-16T04:00:00Z",
		"CRON_TZ=Asia/Kolkata 0 16 15 4 *": "2026-04-15T10:30:00Z",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			spec, err := Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if got := spec.Next(at).Format(time.RFC3339Nano); got != want {
				t.Errorf("next after %s is %s, want %s", at, got, want)
			}
			if got, want := spec.String(), strings.Join(strings.Fields(line), " "); got != want {
				t.Errorf("String() = %q, want %q", got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                            "it is empty; write five fields",
		" \n\t":                       "it is empty; write five fields",
		"CRON_TZ=Europe/Berlin":       "it is empty; write five fields",
		"TZ=0":                        "TZ= is not understood; write CRON_TZ=",
		"TZ=UTC 0 0 * * *":            "TZ= is not understood; write CRON_TZ=",
		"CRON_TZ=":                    "names no time zone",
		"CRON_TZ= 0 0 * * *":          "names no time zone",
		"CRON_TZ=Mars/Base 0 0 * * *": `no time zone "Mars/Base" is known`,
		"CRON_TZ=../../etc 0 0 * * *": "is known; write an IANA name",
		"CRON_TZ=UTC @every 1m":       "leave CRON_TZ= out",
		"@every":                      "@every needs a duration",
		"@every 5":                    "@every needs a duration",
		"@every soon":                 "@every needs a duration",
		"@every 0s":                   "below one second; write '@every 1s'",
		"@every -1h":                  "below one second; write '@every 1s'",
		"@every 999ms":                "below one second; write '@every 1s'",
		"@every 1500ms":               "not of whole seconds; write '@every 1s'",
		"@every1m":                    "@every1m is not known",
		"@fortnightly":                "@fortnightly is not known; write five fields",
		"* * * *":                     "five fields are needed, and it has 4; write five fields",
		"0 * * * * *":                 "five fields are needed, and it has 6; write five fields",
		"60 * * * *":                  `minute "60" is not understood; write 0 to 59`,
		"0 24 * * *":                  `hour "24" is not understood; write 0 to 23`,
		"0 0 0 * *":                   `day of month "0" is not understood; write 1 to 31`,
		"0 0 * 13 *":                  `month "13" is not understood; write 1 to 12`,
		"0 0 * * 7":                   `day of week "7" is not understood; write 0 to 6 or sun to sat (Sunday is 0)`,
		"5-1 * * * *":                 `minute "5-1" is not understood`,
		"*/0 * * * *":                 `minute "*/0" is not understood`,
		"a b c d e":                   `minute "a" is not understood`,
		"0 , * * *":                   "a field lists nothing; write *",
		", 0 * * *":                   "a field lists nothing; write *",
		"0 0 30 2 *":                  "it never fires; name a day of the month",
		"0 0 31 2,4,6,9,11 *":         "it never fires; name a day of the month",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			spec, err := Parse(line)
			var refusal *ParseError
			if !errors.As(err, &refusal) {
				t.Fatalf("Parse = %q, %v, want a *ParseError", spec, err)
			}
			if refusal.Line != line || refusal.Mend == "" {
				t.Errorf("line %q with mend %q, want line %q with any", refusal.Line, refusal.Mend, line)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
			if !spec.IsZero() {
				t.Errorf("a refused line gave the spec %q", spec)
			}
		})
	}
}

// The library's own parser panics on these; ask must not.
func TestAskRecovers(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"TZ=0", "CRON_TZ=UTC"} {
		if got, err := ask(line); err == nil {
			t.Errorf("ask(%q) = %v, want an error", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"17 3 * * *", "@hourly", "@every 1m", "@every 2562047h", "CRON_TZ=Europe/Berlin 30 2 * * *", "CRON_TZ=Australia/Lord_Howe 15 2 * * *",
		"CRON_TZ=America/Sao_Paulo 0 0 4 11 *", "CRON_TZ=Pacific/Apia 0 0 30 12 *", "TZ=0", "0 0 29 2 *", ", * * * *", "*/99999999999 * * * *",
	} {
		for _, unix := range []int64{0, 1_774_746_000, 1_792_890_000, 4_107_542_400} {
			f.Add(line, unix)
		}
	}
	f.Fuzz(func(t *testing.T, line string, unix int64) {
		spec, err := Parse(line)
		if err != nil {
			if !spec.IsZero() {
				t.Fatalf("refused, yet %q: %v", spec, err)
			}
			return
		}
		// 1970 to 2200: offsets of whole minutes, and 2100, which is no leap year.
		const span = 230 * 365 * 24 * 3600
		after := time.Unix((unix%span+span)%span, 0).UTC()
		for range 3 {
			next := spec.Next(after)
			if !next.After(after) {
				t.Fatalf("%q: next after %s is %s", line, after, next)
			}
			after = next
		}
		again, err := Parse(spec.String())
		if err != nil || !again.Equal(spec) || !again.Next(after).Equal(spec.Next(after)) {
			t.Fatalf("%q does not read back: %q, %v", spec, again, err)
		}
	})
}
