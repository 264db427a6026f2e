package forward

import "testing"

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	l := func(n int) line { return line{body: make([]byte, n), run: "r"} }
	for name, c := range map[string]struct {
		maxLines, maxBytes int
		size               int
		fits               int
	}{
		"by lines":                    {4, 1000, 10, 4},
		"by bytes":                    {100, 50, 10, 5},
		"one line is always taken":    {100, 50, 5000, 1},
		"a line that is just too big": {100, 59, 20, 2},
	} {
		q := newQueue(c.maxLines, c.maxBytes)
		for range c.fits + 7 {
			if !q.refuses() {
				q.add(l(c.size))
			}
		}
		if len(q.lines) != c.fits || q.dropped != 7 || q.bytes != c.fits*c.size || q.left() != c.fits+7 {
			t.Errorf("%s: %d lines of %d bytes, %d dropped", name, len(q.lines), q.bytes, q.dropped)
		}
	}
}

// A full queue takes lines again once it is half empty, after a notice; an
// empty one says what was lost even if no line follows.
func TestQueueGoesOn(t *testing.T) {
	t.Parallel()
	q := newQueue(4, 1000)
	add := func() bool {
		if q.refuses() {
			return false
		}
		q.add(line{body: []byte("x"), run: "r"})
		return true
	}
	for range 5 {
		add()
	}
	q.done(1)
	if add() {
		t.Fatal("a queue that is hardly less than full took a line")
	}
	q.done(1)
	if !add() || len(q.lines) != 4 || q.lines[2].run != "" || q.dropped != 0 {
		t.Fatalf("%d lines, %d dropped", len(q.lines), q.dropped)
	}
	q.done(2)
	q.lose() // of a notice
	q.lose() // of a line
	got := q.first()
	if len(got) != 1 || got[0].run != "" || q.left() != 1 {
		t.Fatalf("got %v, %d left", got, q.left())
	}
	q.lose()
	if q.left() != 0 || q.bytes != 0 || len(q.first()) != 0 {
		t.Fatalf("%d left", q.left())
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{1: batchLines, batchBytes / 4: 4, batchBytes/4 + 1: 4, 2 * batchBytes: 1} {
		q, body := newQueue(1000, 1<<40), make([]byte, size)
		for range 500 {
			q.add(line{body: body})
		}
		if got := len(q.first()); got != want || len(q.lines) != 500 {
			t.Errorf("%d lines of %d bytes, want %d", got, size, want)
		}
	}
}
