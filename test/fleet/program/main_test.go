package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func never() <-chan os.Signal { return nil }

func TestVerbs(t *testing.T) {
	t.Parallel()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"", 0, "program v1\n", ""},
		{"print", 0, "", ""},
		{"print a b", 0, "a\nb\n", ""},
		{"lines 3", 0, "line 1\nline 2\nline 3\n", ""},
		{"2 0", 0, "line 1 of 2: job v1\nline 2 of 2: job v1\ndone\n", ""},
		{"1 x", exitUsage, "", "program: 1: strconv.ParseUint: parsing \"x\": invalid syntax\n"},
		{"count 3", 0, "1\n2\n3\n", ""},
		{"count 2 4", 0, "1   \n2   \n", ""},
		{"bytes a\\r\\xff", 0, "a\r\xff", ""},
		{"both 2", 0, "out 1\nout 2\n", "err 1\nerr 2\n"},
		{"noeol a", 0, "a", ""},
		{"long 5", 0, "xxxxx\n", ""},
		{"exit 3", 3, "", ""},
		{"exit 0", 0, "", ""},
		{"sleep 1ms", 0, "sleeping\n", ""},
		{"env", 0, "A=b\nPROGRAM_VERSION=v1\n", ""},
		{"whoami", 0, fmt.Sprintf("%d\n%d\n%s\n", os.Getuid(), os.Getgid(), dir), ""},
		{"version", 0, "v1\n", ""},
		{"nonsense", exitUsage, "", "program: no verb \"nonsense\"\n"},
		{"exit", exitUsage, "", "program: exit: a number is missing\n"},
	} {
		var out, errs bytes.Buffer
		p := program{out: &out, err: &errs, terminated: never, env: []string{"PROGRAM_VERSION=v1", "A=b"}}
		if code := p.run(strings.Fields(tc.args)); code != tc.code {
			t.Errorf("%q: code %d, want %d", tc.args, code, tc.code)
		}
		if out.String() != tc.out || errs.String() != tc.err {
			t.Errorf("%q: out %q, err %q, want %q, %q", tc.args, &out, &errs, tc.out, tc.err)
		}
	}
}

func TestBadNumbers(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"lines", "lines x", "lines 2 x", "both x", "long x", "long -1", "lines -1", "both -1", "sleep", "sleep x", "count", "count x", "count 2 x", "bytes", `bytes \z`, "write", "write x", "cat", "cat /no/such/file", "write /no/such/file x", "work", "work /no/such x 1 0s 0", "work . x y 0s 0", "work . x 1 z 0", "work . x 1 0s -1", "paced", "paced 1 2 x"} {
		var out, errs bytes.Buffer
		p := program{out: &out, err: &errs}
		if code := p.run(strings.Fields(args)); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%q: code %d, %q", args, code, &errs)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	var out bytes.Buffer
	p := program{out: &out, err: io.Discard}
	if code := p.run([]string{"write", path, "a\nb"}); code != 0 {
		t.Fatalf("write: code %d", code)
	}
	if code := p.run([]string{"cat", path}); code != 0 || out.String() != "a\nb" {
		t.Errorf("cat: code %d, %q", code, &out)
	}
}

// TestFacts: they are those of this very process.
func TestFacts(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := (program{out: &out, err: &errs}).run([]string{"facts"}); code != 0 {
		t.Fatalf("facts: code %d, %s", code, &errs)
	}
	for _, want := range []string{fmt.Sprintf("uid %d\n", os.Getuid()), "hostname " + host + "\n", "pid ", "nofile ", "caps ", "mount / "} {
		if !strings.Contains("\n"+out.String(), "\n"+want) {
			t.Errorf("facts lack %q:\n%s", want, &out)
		}
	}
}

func TestLinesPauseBetweenThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		begin := time.Now()
		program{out: &out}.run([]string{"lines", "3", "10s"})
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("three lines with two pauses of 10s took %v", took)
		}
	})
}

func TestSleepEndsAtSIGTERM(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		term := make(chan os.Signal, 1)
		term <- syscall.SIGTERM
		var out bytes.Buffer
		code := program{out: &out, terminated: func() <-chan os.Signal { return term }}.run([]string{"sleep", "1h"})
		if code != exitTerminated || out.String() != "sleeping\nterminated\n" {
			t.Errorf("code %d, out %q", code, &out)
		}
	})
}
