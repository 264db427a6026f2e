package main

import "time"

// excuse is a vulnerability that was looked at and does not concern us.
type excuse struct {
	id     string
	module string
	reason string
	// until is the day on which the excuse ends: look again then, and write
	// down what you found.
	until time.Time
}

// allowed are the excuses. One covers a vulnerability only as long as no fixed
// version of its module is known: from then on the mend is to take that.
var allowed = []excuse{
	{
		id: "GO-2026-4883", module: "github.com/docker/docker", until: day(2027, time.May, 22),
		reason: "dockerd checks a plugin's privileges wrongly; we link the client only, and the record names no package. The mend is the client of github.com/moby/moby",
	},
	{
		id: "GO-2026-4887", module: "github.com/docker/docker", until: day(2027, time.May, 22),
		reason: "dockerd hands its authorization plugins a truncated body; we link the client only, and the record names no package. The mend is the client of github.com/moby/moby",
	},
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}
