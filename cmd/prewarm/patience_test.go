package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The pauses grow to the longest, and end when the limit has passed.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := 0
		p := patience{limit: time.Minute, lost: func(error) { told++ }}
		begun, tries := time.Now(), 0
		for p.rest(t.Context(), errors.New("gone")) {
			tries++
			if p.pause < firstPause || p.pause > longestPause {
				t.Fatalf("a pause of %s", p.pause)
			}
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it took %s", took)
		}
		if tries < 60/5 || tries > 40 {
			t.Errorf("%d tries in a minute", tries)
		}
		if told != 1 {
			t.Errorf("the loss was told %d times", told)
		}
	})
}

// Contact begins the time anew but not the pauses: a server that answers and
// breaks each connection is not to be asked ten times a second.
func TestPatienceContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := patience{limit: 10 * time.Second}
		for range 100 {
			if !p.rest(t.Context(), errors.New("gone")) {
				t.Fatal("gave up in spite of contact")
			}
			p.contact()
		}
		if p.pause != longestPause {
			t.Errorf("the pause is %s", p.pause)
		}
		p.progress()
		if !p.rest(t.Context(), errors.New("gone")) || p.pause != firstPause {
			t.Errorf("the pause is %s after progress", p.pause)
		}
	})
}

// Without patience there is no second try.
func TestNoPatience(t *testing.T) {
	t.Parallel()
	p := patience{lost: func(error) { t.Error("told that it is tried again") }}
	if p.rest(t.Context(), errors.New("gone")) {
		t.Error("a second try")
	}
}
