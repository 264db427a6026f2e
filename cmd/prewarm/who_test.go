package main

import (
	"os"
	"strings"
	"testing"
)

func TestWho(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if name, at, ok := strings.Cut(who(), "@"); !ok || name == "" || at != host {
		t.Errorf("got %q", who())
	}
}
