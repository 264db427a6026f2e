package registry

// Manifest is what a pin holds, as far as warming needs to know it before any
// pull: one Child per platform, with the sizes of its layers.
type Manifest struct {
	Pin      Pin
	Children []Child
	Origin   Origin `json:",omitzero"`
}

// Child is the image that a host of one platform runs. For a pin that names a
// single manifest there is one child, and its digest is the pin's own.
type Child struct {
	Platform Platform
	Digest   Digest
	// Layers holds each layer once. It is empty for the platforms that were not
	// asked for.
	Layers []Layer
}

// Layer is one compressed layer: what a pull transfers at most once per host.
type Layer struct {
	Digest Digest
	Bytes  int64 // compressed, as the manifest says
}

// For gives the child that a host of platform p runs: among several, the one
// of the highest variant, and among equals the first, as engines choose.
func (m Manifest) For(p Platform) (Child, bool) {
	i, ok := m.index(p)
	if !ok {
		return Child{}, false
	}
	return m.Children[i], true
}

func (m Manifest) index(p Platform) (best int, found bool) {
	for i, c := range m.Children {
		if !p.Runs(c.Platform) {
			continue
		}
		// Of two that the host runs, the one that runs the other is higher.
		if !found || !m.Children[best].Platform.Runs(c.Platform) {
			best, found = i, true
		}
	}
	return best, found
}

// Bytes is the compressed size of all layers.
func (c Child) Bytes() int64 {
	var n int64
	for _, l := range c.Layers {
		n += l.Bytes
	}
	return n
}
