package registry

// matchGlob tells whether a text matches a glob: * stands for any run without a
// slash, ** for any run; either may be empty. To look back as far as the last
// star of each kind is enough: what an earlier one took at the first chance
// leaves those after it the most.
func matchGlob(glob, text string) bool {
	g, t := 0, 0
	star, starEnd := -1, 0 // what follows the last *, and the end of what it took
	deep, deepEnd := -1, 0 // the same of the last **
	for {
		switch {
		case g+1 < len(glob) && glob[g] == '*' && glob[g+1] == '*':
			g += 2
			deep, deepEnd, star = g, t, -1
		case g < len(glob) && glob[g] == '*':
			g++
			star, starEnd = g, t
		case g < len(glob) && t < len(text) && glob[g] == text[t]:
			g++
			t++
		case g == len(glob) && t == len(text):
			return true
		case star >= 0 && starEnd < len(text) && text[starEnd] != '/':
			starEnd++
			g, t = star, starEnd
		case deep >= 0 && deepEnd < len(text):
			deepEnd++
			g, t, star = deep, deepEnd, -1
		default:
			return false
		}
	}
}
