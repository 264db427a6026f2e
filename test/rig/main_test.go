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
		"up -o yaml":     "want table or json",
		"show etl-1":     `unexpected "etl-1"; usage: `,
		"push":           "push takes one REPOSITORY:TAG, after the flags; usage: ",
		"push a b":       "push takes one REPOSITORY:TAG, after the flags; usage: ",

		"push --random 0 etl/jobs:v1":  "want a number of bytes above 0",
		"push --random 1k etl/jobs:v1": "want a number of bytes above 0",
		"show --dir /nonexistent/rig":  "no rig is up in /nonexistent/rig: start one by up",

		"push --dir /nonexistent/rig etl/jobs:v1": "no rig is up in /nonexistent/rig: start one by up",
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
