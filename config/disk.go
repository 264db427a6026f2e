package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Disk is how full images may make a host's disk. The zero Disk sets no bound.
type Disk struct {
	// High is where images begin to go, and Low is where that ends: at or below
	// High, and of its kind. Both are zero or none is.
	High, Low Mark
	// Budget is what images may take, in bytes. High and Low are then of it. 0:
	// they are of the disk.
	Budget int64
}

// Mark is a level of a disk: one of the two is set, but in the zero Mark.
type Mark struct {
	Percent float64 // of the disk, or of the budget
	Bytes   int64
}

// IsZero tells whether m is no mark.
func (m Mark) IsZero() bool { return m == Mark{} }

// Of is the mark in bytes, of a disk or budget of total bytes; 0 where there is
// none.
func (m Mark) Of(total int64) int64 {
	if m.Percent > 0 {
		return int64(math.Round(float64(total) * m.Percent / 100))
	}
	return m.Bytes
}

// String is what the configuration writes: 85% or 400g; empty for none.
func (m Mark) String() string {
	if m.Percent > 0 {
		return strconv.FormatFloat(m.Percent, 'f', -1, 64) + "%"
	}
	return sizeText(m.Bytes)
}

const sharePattern = `0*([1-9][0-9]?(\.[0-9]+)?|100(\.0+)?)%`

var shareRule = regexp.MustCompile(`^` + sharePattern + `$`)

// disk takes the scheme of the host's endpoint; empty where it was refused.
func (r *reader) disk(field, scheme string, doc diskDoc) Disk {
	high, low, budget := field+".high", field+".low", field+".budget"
	disk := Disk{High: r.mark(high, doc.High), Low: r.mark(low, doc.Low), Budget: r.size(budget, doc.Budget, 0, mib)}
	if r.spoiledWithin(field) {
		return disk
	}
	switch {
	case r.has(high) && !r.has(budget) && scheme == "tcp":
		r.add(field, "", "the disk of a tcp endpoint can't be seen", "add budget: what images may take there, as in budget: 50g")
	case r.has(low) && !r.has(high):
		r.add(low, doc.Low, "it says where pruning ends, and not where it begins", "write high, too")
	case disk.High.IsZero() || disk.Low.IsZero() && r.has(low): // refused
	case disk.Budget > 0 && disk.High.Bytes > disk.Budget:
		r.add(high, doc.High, "it is above the budget", "write "+sizeText(disk.Budget)+" or less, or a share of it, as in 85%")
	case !r.has(low):
	case (disk.Low.Percent > 0) != (disk.High.Percent > 0):
		r.add(low, doc.Low, "high ("+doc.High+") is in another unit", "write both as shares, as in 85% and 70%, or both in bytes")
	case disk.Low.Percent > disk.High.Percent || disk.Low.Bytes > disk.High.Bytes:
		r.add(low, doc.Low, "it is above high", "write "+disk.High.String()+" or less")
	}
	if disk.High.IsZero() && disk.Budget > 0 {
		disk.High = Mark{Percent: 100}
	}
	if disk.Low.IsZero() {
		disk.Low = disk.High
	}
	return disk
}

// mark gives the zero Mark for what it refuses.
func (r *reader) mark(field, text string) Mark {
	if !r.has(field) {
		return Mark{}
	}
	if percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64); err == nil && shareRule.MatchString(text) {
		return Mark{Percent: percent}
	}
	switch size, ok := parseSize(text); {
	case ok && size >= mib:
		return Mark{Bytes: size}
	case ok:
		r.add(field, text, "it is too small", "write "+sizeText(mib)+" or more, or a share, as in 85%")
	default:
		r.add(field, text, "it is neither a share of the disk nor a size of at most "+sizeText(maxSize), "write a share from 1% to 100%, or bytes, as in 85% or 400g")
	}
	return Mark{}
}

func (d Disk) document() diskDoc {
	return diskDoc{High: d.High.String(), Low: d.Low.String(), Budget: sizeText(d.Budget)}
}
