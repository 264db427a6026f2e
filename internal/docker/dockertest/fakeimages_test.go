package dockertest

import (
	"testing"

	"github.com/prewarm/prewarm/internal/problem"
)

func TestSomeoneElseAtTheImages(t *testing.T) {
	t.Parallel()
	f, a, b := stocked()
	see := func(what string, there, kept bool) {
		t.Helper()
		c, ok, err := f.Inspect(t.Context(), a)
		if ok != there || c.Kept != kept || err != nil {
			t.Errorf("%s: %+v, %v, %v; want there %v, kept %v", what, c, ok, err, there, kept)
		}
	}
	keep := func() {
		t.Helper()
		if _, err := f.Keep(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	f.Load(a)
	see("pulled by someone else", true, false)
	keep()
	see("adopted", true, true)
	f.Untag(a)
	see("untagged", true, false)
	keep()
	if n := f.Pulls(a); n != 0 {
		t.Errorf("%d pulls of what was there", n)
	}
	f.Forget(a)
	see("removed", false, false)
	keep()
	if n := f.Pulls(a); n != 1 {
		t.Errorf("%d pulls of what was removed, want 1", n)
	}
	f.Untag(b) // not there: no harm
}

func TestDownAndWiped(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	if _, err := f.Keep(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	before, err := f.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.SetDown(true)
	_, err = f.Probe(t.Context())
	wantCode(t, "Probe", err, problem.HostUnreachable)
	_, _, err = f.Inspect(t.Context(), a)
	wantCode(t, "Inspect", err, problem.HostUnreachable)
	wantCode(t, "Confirm", f.Confirm(t.Context()), problem.HostUnreachable)
	f.SetDown(false)
	if again, err := f.Probe(t.Context()); err != nil || again != before {
		t.Errorf("Probe after an outage = %+v, %v; want %+v", again, err, before)
	}
	f.Wipe()
	after, err := f.Probe(t.Context())
	if err != nil || after.Marker == before.Marker {
		t.Errorf("Probe after a wipe = %+v, %v; want another marker", after, err)
	}
	if _, ok, err := f.Inspect(t.Context(), a); ok || err != nil {
		t.Errorf("Inspect after a wipe = %v, %v", ok, err)
	}
}
