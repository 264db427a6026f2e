package config

import "github.com/prewarm/prewarm/internal/problem"

// nearest is the candidate that word was probably meant to be, or "": at most
// two letters off, and no more than a third of the word.
func nearest(word string, candidates []string) string {
	near := problem.Nearest(word, candidates, min(2, len(word)/3))
	if len(near) == 0 {
		return ""
	}
	return near[0]
}
