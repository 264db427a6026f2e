package config

import "fmt"

// FleetLimits bound what Prewarm does at the same time, whatever the hosts and
// registries are.
type FleetLimits struct {
	Pulls int     // pulls at once on the whole fleet; 0: no limit
	Rate  float64 // requests to registries in a second, all together; 0: the registry client's default
}

func (r *reader) fleetLimits(doc fleetDoc) FleetLimits {
	limits := FleetLimits{Rate: r.rate("limits.rate", doc.Rate)}
	r.limit("limits.pulls", doc.Pulls, &limits.Pulls, "leave it out for no limit")
	return limits
}

// count takes a number of at least 0; standard where none is written.
func (r *reader) count(field string, written, standard int, mend string) int {
	switch {
	case !r.has(field) || r.spoiled[field]:
		return standard
	case written < 0:
		r.add(field, fmt.Sprint(written), "it is below zero", mend)
	}
	return written
}

// limit takes a limit that is written. none says what to write for a zero.
func (r *reader) limit(field string, written int, limit *int, none string) {
	if !r.has(field) {
		return
	}
	if written < 1 {
		r.add(field, fmt.Sprint(written), "a limit is at least 1", "write 1 or more; "+none)
	}
	*limit = written
}
