package problem

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest gives the candidates that a reader may have meant by word, the
// nearest first: those that at most limit letters, changed, inserted or
// removed, turn into it. Case does not count.
func Nearest(word string, candidates []string, limit int) []string {
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= limit {
			all = append(all, near{c, d})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	names := make([]string, len(all))
	for i, n := range all {
		names[i] = n.name
	}
	return names
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
