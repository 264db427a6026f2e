package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWorkKeepsALedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := program{out: &out, err: &errs, terminated: never}
	if code := p.run([]string{"work", dir, "a", "2", "1ms", "5"}); code != 5 {
		t.Errorf("code %d: %s", code, &errs)
	}
	if out.String() != "out 1\nout 2\n" || errs.String() != "err 1\nerr 2\n" {
		t.Errorf("printed %q and %q", &out, &errs)
	}
	gone := make(chan os.Signal, 1)
	gone <- syscall.SIGTERM
	p.terminated = func() <-chan os.Signal { return gone }
	if code := p.run([]string{"work", dir, "b", "2", "1h", "0"}); code != exitTerminated {
		t.Errorf("terminated: code %d", code)
	}
	want := "start a HOST\nend a HOST 5\nstart b HOST\nend b HOST 7\n"
	if got := readFile(t, filepath.Join(dir, "ledger")); got != strings.ReplaceAll(want, "HOST", host) {
		t.Errorf("the ledger says:\n%s", got)
	}
}

func TestWorkNoticesAnotherOfItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other, err := os.Create(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := program{out: &out, err: &errs, terminated: never}
	if code := p.run([]string{"work", dir, "a", "1", "0s", "0"}); code != exitOverlap || out.Len() > 0 {
		t.Errorf("code %d, out %q", code, &out)
	}
	if ledger := readFile(t, filepath.Join(dir, "ledger")); !strings.HasPrefix(ledger, "overlap a ") {
		t.Errorf("the ledger says:\n%s", ledger)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if code := p.run([]string{"work", dir, "a", "1", "0s", "0"}); code != 0 {
		t.Errorf("once the other is gone: code %d", code)
	}
}

func TestPacedLinesSayWhen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	begin := time.Now()
	if code := (program{out: &out}).run([]string{"paced", "100", "1000", "40"}); code != 0 {
		t.Fatalf("code %d", code)
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("100 lines at 1000 a second took %v", took)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 100 || len(lines[99]) != 40 || !strings.HasPrefix(lines[99], "100 ") {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}
