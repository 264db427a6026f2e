package docker

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/image"

	"github.com/prewarm/prewarm/warmer/prune"
)

// The engine tells which layers an image has (its inspect) and how large each
// step of its history is, and not which step made which layer: an ENV makes none,
// and a COPY of an empty file makes one that looks the same. So sizes are laid on
// layers in their order, and whether there was a choice is told.

// layersOf lays the sizes of a history on the layers of an image and lets them
// add up to bytes. It tells whether no size was guessed.
func layersOf(diffs []string, history []image.HistoryResponseItem, bytes int64) ([]prune.Layer, bool) {
	steps := make([]int64, len(history))
	for i, step := range history {
		steps[len(history)-1-i] = step.Size // the engine begins with the newest
	}
	sizes, exact := align(len(diffs), steps)
	exact = fit(sizes, len(steps), bytes) && exact
	layers := make([]prune.Layer, len(diffs))
	for i, id := range chain(diffs) {
		layers[i] = prune.Layer{ID: id, Bytes: sizes[i]}
	}
	return layers, exact
}

// chain gives the ids of OCI that stand for a layer and all below it.
func chain(diffs []string) []string {
	ids := make([]string, len(diffs))
	for i, diff := range diffs {
		ids[i] = diff
		if i > 0 {
			ids[i] = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ids[i-1]+" "+diff)))
		}
	}
	return ids
}

// align finds the sizes of n layers among the steps of a history, from the base
// up. All steps with a size are layers; of the others as many as are missing. It
// tells whether that left no choice.
func align(n int, steps []int64) (sizes []int64, exact bool) {
	empty := 0 // layers without a byte
	for _, size := range steps {
		if size == 0 {
			empty++
		}
	}
	empty -= len(steps) - n
	switch {
	case len(steps) < n:
		// Builders may leave steps out. The engines count from the base, too.
		return append(slices.Clone(steps), make([]int64, n-len(steps))...), false
	case empty < 0: // no engine tells more sizes than layers
		return make([]int64, n), false
	}
	// With the first ones taken each size stands as high as it can, with the last
	// ones as low: where that is the same there is no choice.
	first, last := pick(steps, empty), slices.Clone(steps)
	slices.Reverse(last)
	last = pick(last, empty)
	slices.Reverse(last)
	return first, slices.Equal(first, last)
}

// pick gives the steps with a size, and the first ones without, as many as are
// wanted.
func pick(steps []int64, empty int) []int64 {
	var sizes []int64
	for _, size := range steps {
		if size == 0 {
			if empty == 0 {
				continue
			}
			empty--
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// fit changes sizes so that they add up to bytes, and tells whether they did
// before. What is missing belongs to the layers from told on, where there are
// any; else each has its part of it.
func fit(sizes []int64, told int, bytes int64) bool {
	var sum int64
	for _, size := range sizes {
		sum += size
	}
	switch {
	case sum == bytes:
		return true
	case len(sizes) == 0:
	case told < len(sizes) && sum < bytes:
		share(sizes[told:], bytes-sum)
	case sum == 0:
		share(sizes, bytes)
	default:
		scale(sizes, sum, bytes)
	}
	return false
}

// share gives layers equal parts of bytes.
func share(sizes []int64, bytes int64) {
	for i := range sizes {
		sizes[i] = bytes / int64(len(sizes)-i)
		bytes -= sizes[i]
	}
}

// scale lets sizes that add up to sum add up to bytes.
func scale(sizes []int64, sum, bytes int64) {
	factor := float64(bytes) / float64(sum)
	left, largest := bytes, 0
	for i, size := range sizes {
		sizes[i] = int64(float64(size) * factor)
		left -= sizes[i]
		if sizes[i] > sizes[largest] {
			largest = i
		}
	}
	sizes[largest] += left // what rounding left
}
