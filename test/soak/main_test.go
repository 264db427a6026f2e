package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := parse([]string{"-for", "2m", "-runs", "3", "-seed", "7"}, io.Discard)
	if want := (settings{length: 2 * time.Minute, atOnce: 3, seed: 7}); err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	for _, args := range []string{"-for 1ms", "-runs 0", "more", "-seed x"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s: want an error", args)
		}
	}
}

func TestASeedGivesTheSameWork(t *testing.T) {
	t.Parallel()
	acts := map[act]int{}
	for n := range 500 {
		p := draw(7, n)
		if p != draw(7, n) {
			t.Fatalf("number %d is %+v, and then another", n, p)
		}
		if p.lines < 1 || p.code == terminated || time.Duration(p.lines)*p.pause > longest+p.pause {
			t.Errorf("number %d: %+v", n, p)
		}
		acts[p.act]++
	}
	for _, a := range []act{leave, again, anew, cancel} {
		if acts[a] == 0 {
			t.Errorf("of 500 none is %s", a)
		}
	}
	if draw(7, 1).command()[3] == draw(8, 1).command()[3] {
		t.Error("another seed gives the same work")
	}
}

func TestCountGoroutines(t *testing.T) {
	t.Parallel()
	const dump = "SIGQUIT: quit\nPC=0x1\n\ngoroutine 1 [running]:\nmain.main()\n\ngoroutine 2 [IO wait]:\nnet/http.(*persistConn).readLoop()\n\ngoroutine 3 [select]:\nmain.f()\n\nrax 0x0\n"
	if n := countGoroutines(dump); n != 2 {
		t.Errorf("counted %d", n)
	}
}
