package docker

import (
	"slices"
	"testing"

	"github.com/docker/docker/api/types/image"
)

func TestLayersOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		layers int
		steps  []int64 // from the base up
		bytes  int64
		want   []int64
		exact  bool
	}{
		{"one for one", 3, []int64{5, 3, 1}, 9, []int64{5, 3, 1}, true},
		{"steps without layers", 2, []int64{5, 0, 0, 3, 0}, 8, []int64{5, 3}, true},
		{"an empty layer, no other empty step", 3, []int64{5, 0, 3}, 8, []int64{5, 0, 3}, true},
		{"an empty layer among its like", 3, []int64{5, 0, 0, 3}, 8, []int64{5, 0, 3}, true},
		{"an empty layer on either side", 3, []int64{5, 0, 3, 0}, 8, []int64{5, 0, 3}, false},
		{"an empty base or top", 2, []int64{0, 7, 0}, 7, []int64{0, 7}, false},
		{"all empty", 2, []int64{0, 0, 0}, 0, []int64{0, 0}, true},
		{"no layer", 0, []int64{0, 0}, 0, nil, true},
		{"no history", 3, nil, 9, []int64{3, 3, 3}, false},
		{"no history of the top", 3, []int64{5}, 9, []int64{5, 2, 2}, false},
		{"more sizes than layers", 2, []int64{1, 2, 3}, 7, []int64{3, 4}, false},
		{"bytes beyond the history", 3, []int64{4, 0, 2}, 9, []int64{6, 0, 3}, false},
		{"bytes that can't be split", 3, []int64{1, 1, 1}, 4, []int64{2, 1, 1}, false},
		{"fewer bytes than the history", 2, []int64{6, 2}, 4, []int64{3, 1}, false},
		{"bytes without sizes", 2, []int64{0, 0}, 5, []int64{2, 3}, false},
	} {
		diffs := []string{digestA, digestB, config1}[:c.layers]
		var history []image.HistoryResponseItem
		for _, size := range slices.Backward(c.steps) {
			history = append(history, image.HistoryResponseItem{Size: size})
		}
		layers, exact := layersOf(diffs, history, c.bytes)
		var got []int64
		var sum int64
		for _, l := range layers {
			got = append(got, l.Bytes)
			sum += l.Bytes
		}
		if !slices.Equal(got, c.want) || exact != c.exact || (c.layers > 0 && sum != c.bytes) {
			t.Errorf("%s: got %v, exact %v; want %v, %v", c.name, got, exact, c.want, c.exact)
		}
	}
}

// TestChain holds the ids against those that the OCI image specification
// defines, as an engine's storage has them.
func TestChain(t *testing.T) {
	t.Parallel()
	if got := chain(nil); len(got) != 0 {
		t.Errorf("chain of nothing = %q", got)
	}
	got := chain([]string{digestA, digestB})
	want := []string{digestA, "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c"}
	if !slices.Equal(got, want) {
		t.Errorf("chain = %q, want %q", got, want)
	}
}
