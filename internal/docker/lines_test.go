package docker

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prewarm/prewarm/runner"
)

// pieces prints one line in parts of 16 KiB, as the engine does.
func pieces(t *testing.T, text string) []runner.Line {
	t.Helper()
	var log strings.Builder
	for rest := text + "\n"; rest != ""; {
		n := min(len(rest), 16<<10)
		log.WriteString(printed(1, 0, rest[:n]))
		rest = rest[n:]
	}
	lines, err := read(strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestLongLinesComeInPieces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ size, want int }{
		{lineLimit - 1, 1}, {lineLimit, 1}, {lineLimit + 1, 2}, {2 * lineLimit, 2}, {2*lineLimit + 1, 3},
	} {
		text := strings.Repeat("0123456789abcdef", c.size/16+1)[:c.size]
		lines := pieces(t, text)
		var joined strings.Builder
		for i, l := range lines {
			joined.WriteString(l.Text)
			if last := i == len(lines)-1; l.Open == last || len(l.Text) > lineLimit || !l.Time.Equal(noon) {
				t.Errorf("%d bytes: piece %d has %d bytes, open %v, time %s", c.size, i, len(l.Text), l.Open, l.Time)
			}
		}
		if len(lines) != c.want || joined.String() != text {
			t.Errorf("%d bytes: %d pieces of %d bytes, want %d pieces", c.size, len(lines), joined.Len(), c.want)
		}
	}
}

func TestPiecesKeepCharactersWhole(t *testing.T) {
	t.Parallel()
	for _, char := range []string{"é", "€", "😀"} {
		text := "x" + strings.Repeat(char, lineLimit/len(char)+10)
		var joined strings.Builder
		for i, l := range pieces(t, text) {
			if !utf8.ValidString(l.Text) {
				t.Errorf("%s: piece %d is cut within a character", char, i)
			}
			joined.WriteString(l.Text)
		}
		if joined.String() != text {
			t.Errorf("%s: the pieces do not make up the line", char)
		}
	}
}

// TestBytesThatAreNoText: a limit that no character boundary meets.
func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("\xbf", lineLimit+10)
	var joined strings.Builder
	for _, l := range pieces(t, text) {
		joined.WriteString(l.Text)
	}
	if joined.String() != text {
		t.Error("the pieces do not make up the line")
	}
}
