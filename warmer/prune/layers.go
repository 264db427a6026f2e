package prune

import "slices"

// layers counts by how many images of a host each layer is held: one is freed
// with the last of them.
type layers struct {
	index map[string]int32
	bytes []int64
	users []int32
	freed int64
}

// newLayers counts nothing yet. It has room for what a host with so many images
// is likely to have.
func newLayers(images int) layers {
	room := images * 4
	return layers{index: make(map[string]int32, room), bytes: make([]int64, 0, room), users: make([]int32, 0, room)}
}

// add counts an image's layers, and gives them as the other methods want them.
func (l *layers) add(of []Layer) []int32 {
	all := make([]int32, 0, len(of))
	for _, layer := range of {
		i, ok := l.index[layer.ID]
		switch {
		case !ok:
			i = int32(len(l.bytes))
			l.index[layer.ID] = i
			l.bytes = append(l.bytes, layer.Bytes)
			l.users = append(l.users, 0)
		case slices.Contains(all, i):
			continue
		default:
			// Where two images disagree, what is promised is the less.
			l.bytes[i] = min(l.bytes[i], layer.Bytes)
		}
		l.users[i]++
		all = append(all, i)
	}
	return all
}

// remove counts an image with those layers as gone, and tells what that frees.
func (l *layers) remove(of []int32) int64 {
	var freed int64
	for _, i := range of {
		l.users[i]--
		if l.users[i] == 0 {
			freed += l.bytes[i]
		}
	}
	l.freed += freed
	return freed
}

// restore takes a remove back.
func (l *layers) restore(of []int32) {
	l.freed -= l.loss(of)
	for _, i := range of {
		l.users[i]++
	}
}

// loss is by how much less would be freed if an image with those layers, which
// counts as gone, stayed.
func (l *layers) loss(of []int32) int64 {
	var bytes int64
	for _, i := range of {
		if l.users[i] == 0 {
			bytes += l.bytes[i]
		}
	}
	return bytes
}
