package prune

import (
	"testing"
	"time"
)

// What forbids a removal does so whatever else is true, and however much space
// is needed.
func TestStays(t *testing.T) {
	t.Parallel()
	pressed := Policy{Need: 1000, Unmanaged: LeastRecently}
	with := func(change func(*Policy)) Policy {
		p := pressed
		change(&p)
		return p
	}
	table{
		{"a claim", pressed, "a wanted claim=current:jobs:1", "; a current"},
		{"a claim on a digest that nothing else wants", pressed, "a superseded claim=leased:r1", "; a leased"},
		{"the strongest of several", pressed, "a superseded claim=leased:r1 claim=scope:s kept claim=coming:jobs:2", "; a coming"},
		{"a claim that is new to us", pressed, "a superseded claim=news:x", "; a news"},
		{"a pull", pressed, "a never_current claim=pulling", "; a pulling"},
		{"a claim comes before a container", pressed, "a wanted claim=scope:s in=web", "; a scope"},
		{"a container", pressed, "a never_current in=web", "; a in_use"},
		{"a container of an image that is not ours", pressed, "a in=web", "; a in_use"},
		{"a keep-tag that nobody remembers", pressed, "a unknown", "; a unknown"},
		{"also beside one that may go", pressed, "a superseded unknown", "; a unknown"},
		{"wanted, and nobody says by what", pressed, "a wanted", "; a unknown"},
		{"youth", with(func(p *Policy) { p.Rules.MinAge = day }), "a age=23h59m\nb age=24h", "b dangling 10; a min_age"},
		{"youth by the rules of its image", pressed, "a superseded min_age=3d\nb superseded min_age=2d", "b superseded 10; a min_age"},
		{"an orphan's by the policy's", with(func(p *Policy) { p.Rules.MinAge = 3 * day }), "a orphaned image=none min_age=1h", "; a min_age"},
		{"of two images the more careful one's", pressed, "a superseded min_age=1h superseded image=etl min_age=3d", "; a min_age"},
		{"use", with(func(p *Policy) { p.Rules.UnusedFor = 7 * day }), "a age=30d used=6d\nb age=30d used=7d", "b dangling 10; a unused_for"},
		{"use by the rules of its image", pressed, "a superseded used=1h unused_for=2h\nb kept used=3h unused_for=4h", "; a unused_for, b unused_for"},
		{"use before it came counts from when it came", with(func(p *Policy) { p.Rules.UnusedFor = 7 * day }), "a age=6d used=30d", "; a unused_for"},
		{"the newest kept ones", pressed, "a kept rank=0 keep_min=1\nb kept rank=1 keep_min=1", "b kept_for_rollback 10; a kept"},
		{"a digest kept for one tag and let go by another", pressed, "a superseded kept rank=0 keep_min=1", "; a kept"},
		{"what is not ours, where it is kept", with(func(p *Policy) { p.Unmanaged = KeepUnmanaged }), "a\nb names=x:1", "; a unmanaged, b unmanaged"},
		{"or where nothing is said", with(func(p *Policy) { p.Unmanaged = "" }), "a", "; a unmanaged"},
		{"what has a tag, where only dangling ones go", with(func(p *Policy) { p.Unmanaged = DanglingOnly }), "a\nb names=x:1\nc names=x@d", "a dangling 10, c dangling 10; b unmanaged"},
		{
			"another image", with(func(p *Policy) { p.OnlyImage = "etl" }),
			"a superseded\nb superseded image=etl\nc\nd orphaned image=none\ne superseded superseded image=etl\nf wanted claim=current:x",
			"b superseded 10; f current, a other_image, c other_image, d other_image, e other_image",
		},
	}.run(t)
}

// An image that nobody remembers to have come is one that came now, not one from
// the beginning of time.
func TestUnknownAgeIsNone(t *testing.T) {
	t.Parallel()
	inv := host(t, "a superseded min_age=1h\nb superseded unused_for=1h")
	for i := range inv.Images {
		inv.Images[i].Seen, inv.Images[i].Used = time.Time{}, time.Time{}
	}
	if got, want := told(Decide(Policy{}, inv)), "; a min_age, b unused_for"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A clock that was set back makes nothing older.
func TestSeenInTheFuture(t *testing.T) {
	t.Parallel()
	inv := host(t, "a superseded min_age=1h")
	inv.Images[0].Seen, inv.Images[0].Used = noon.Add(time.Hour), noon.Add(time.Hour)
	d := Decide(Policy{}, inv)
	if got, want := d.Verdicts[0].Why, "on the host since 2026-11-28 13:00: min_age keeps it for 60 minutes more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
