package runner

// candidate is a host on which a run's digest is warm.
type candidate struct {
	host         string
	slots, inUse int
}

// place chooses the host of a run: one with a free slot, the least loaded for
// its size, the first of equals. It is pure.
func place(candidates []candidate) (host string, ok bool) {
	var best candidate
	for _, c := range candidates {
		if c.inUse >= c.slots {
			continue
		}
		// c.inUse/c.slots < best.inUse/best.slots, without division.
		if !ok || c.inUse*best.slots < best.inUse*c.slots {
			best, ok = c, true
		}
	}
	return best.host, ok
}
