package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadEnv(t *testing.T) {
	t.Parallel()
	caller := map[string]string{"TOKEN": "t0ken", "EMPTY": "", "LATIN": "caf\xe9"}
	tests := map[string]struct {
		file string
		vars []string
		want []string
		err  string
	}{
		"nothing":                 {},
		"value":                   {vars: []string{"A=1"}, want: []string{"A=1"}},
		"value with equals signs": {vars: []string{"A=b=c"}, want: []string{"A=b=c"}},
		"empty value":             {vars: []string{"A="}, want: []string{"A="}},
		"the caller's":            {vars: []string{"TOKEN"}, want: []string{"TOKEN=t0ken"}},
		"the caller's, empty":     {vars: []string{"EMPTY"}, want: []string{"EMPTY="}},
		"the caller has none":     {vars: []string{"MISSING"}},
		"later wins":              {vars: []string{"A=1", "B=2", "A=3"}, want: []string{"B=2", "A=3"}},
		"flag over file":          {file: "A=file\nB=file\n", vars: []string{"A=flag"}, want: []string{"B=file", "A=flag"}},
		"comments and empty lines": {
			file: "# A=1\n\n   \n  # B=2\nC=3 # no comment\n", want: []string{"C=3 # no comment"},
		},
		"blanks":             {file: "  A= x \n\tB=y\n", want: []string{"A= x ", "B=y"}},
		"quotes stay":        {file: `A="x"`, want: []string{`A="x"`}},
		"the caller's, file": {file: "TOKEN\nMISSING\n", want: []string{"TOKEN=t0ken"}},
		"Windows line ends":  {file: "A=1\r\nB=2\r\n", want: []string{"A=1", "B=2"}},
		"byte order mark":    {file: "\ufeffA=1\n", want: []string{"A=1"}},
		"a long line":        {file: "A=" + strings.Repeat("x", 100_000) + "\n", want: []string{"A=" + strings.Repeat("x", 100_000)}},

		"no name":           {vars: []string{"=secret"}, err: `--env: "" is no variable's name`},
		"blank in the name": {file: "OK=1\nA B=secret\n", err: `job.env, line 2: "A B" is no variable's name`},
		"not UTF-8":         {vars: []string{"LATIN"}, err: "--env: the value of LATIN is not UTF-8"},
		"a line too long":   {file: "A=" + strings.Repeat("x", 2<<20), err: "token too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var files []string
			if test.file != "" {
				files = append(files, filepath.Join(t.TempDir(), "job.env"))
				if err := os.WriteFile(files[0], []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := readEnv(files, test.vars, func(name string) (string, bool) {
				value, ok := caller[name]
				return value, ok
			})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "secret") {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadEnvFolder(t *testing.T) {
	t.Parallel()
	_, err := readEnv([]string{t.TempDir()}, nil, os.LookupEnv)
	if err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("error %v", err)
	}
}
