package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseChoosesBenchmarks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"run", "first-line", "warm", "watch", "fanout", "lines", "lag", "firehose", "memory", "submit", "recovery", "footprint"}},
		{[]string{"-n", "3", "warm"}, []string{"warm"}},
		{[]string{"first-line", "run"}, []string{"run", "first-line"}},
	} {
		_, chosen, err := parse(c.args, io.Discard)
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		var got []string
		for _, b := range chosen {
			got = append(got, b.name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"1 or more":                          {"-n", "0"},
		"-every, -idle and -listen a second": {"-every", "10ms"},
		"a second or more":                   {"-idle", "10ms"},
		`no benchmark is called "rnu"`:       {"rnu"},
		"flag provided but not defined":      {"-fast"},
		"invalid value \"few\" for flag":     {"-rounds", "few"},
	} {
		if _, _, err := parse(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}
