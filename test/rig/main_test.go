package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestWrongCallsSayHow(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":               "usage: ",
		"upp":            `no command "upp"; usage: `,
		"up three":       `unexpected "three"; usage: `,
		"up --hosts x":   "invalid value",
		"down --hosts 3": "flag provided but not defined: -hosts",
		"engine29 30":    `unexpected "30"; usage: `,
	} {
		var out, log bytes.Buffer
		err := run(t.Context(), strings.Fields(args), &out, &log)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
		if out.Len() > 0 {
			t.Errorf("%q: printed %q", args, &out)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"up", "--help"}, &out, &log)
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(log.String(), "-detach") {
		t.Errorf("got %v, %q", err, &log)
	}
}
