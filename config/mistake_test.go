package config

import (
	"errors"
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                                  "",
		"plain":                             "plain",
		"node@sha256:abc":                   "node@sha256:abc",
		"@every 1m":                         "@every 1m",
		"CRON_TZ=UTC @every 1m":             "CRON_TZ=UTC @every 1m",
		"tcp://u:p@host:1":                  "tcp://***@host:1",
		"tcp://u:p:/@q@host:1":              "tcp://***@host:1",
		"https://u:p@reg/node@sha256:abc":   "https://***@reg/node@sha256:abc",
		"u:p@reg/node":                      "***@reg/node",
		strings.Repeat("a", maxShown):       strings.Repeat("a", maxShown),
		strings.Repeat("a", maxShown) + "b": strings.Repeat("a", maxShown) + "…",
		strings.Repeat("a", 99) + "éé":      strings.Repeat("a", 99) + "…",
	} {
		if got := shown(value); got != want {
			t.Errorf("shown(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestMistakesAreSortedByPlace(t *testing.T) {
	t.Parallel()
	path := write(t, "hosts:\n  - {name: A, endpoint: http://a}\nserver: {listen: x}\nunknown: 1\n")
	mistakes := refused(t, path, []string{"PREWARM_IMAGES=7", "PREWARM_IMAGE=7"})
	var fields []string
	for _, m := range mistakes {
		fields = append(fields, m.Field)
	}
	// The two variables sort behind the path, which begins with a slash.
	if got, want := strings.Join(fields, " "), "hosts[0].name hosts[0].endpoint server.listen unknown  images"; got != want {
		t.Errorf("fields in order: %q, want %q", got, want)
	}
	if mistakes[0].Line != 2 || mistakes[2].Line != 3 || mistakes[3].Line != 4 {
		t.Errorf("lines: %+v", mistakes)
	}
}

// Nobody prints more than the outermost error, so the one inside adds nothing.
func TestMistakesUnwrapToTheSameWords(t *testing.T) {
	t.Parallel()
	ms := Mistakes{{File: "a", Why: "b", Mend: "c"}}
	if inner := errors.Unwrap(ms); inner == nil || inner.Error() != ms.Error() {
		t.Errorf("unwraps to %v", inner)
	}
}
