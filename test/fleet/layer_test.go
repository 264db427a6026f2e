package fleet

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestARandomLayer(t *testing.T) {
	t.Parallel()
	const size = 300_000
	layer := func(seed uint64, number int) v1.Layer {
		l, err := randomLayer(seed, number, size)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	digest := func(l v1.Layer) v1.Hash {
		d, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := layer(1, 0)
	if digest(layer(1, 0)) != digest(first) {
		t.Error("the same seed and number gave another layer")
	}
	if digest(layer(2, 0)) == digest(first) || digest(layer(1, 1)) == digest(first) {
		t.Error("another seed or number gave the same layer")
	}
	if n, err := first.Size(); err != nil || n < size {
		t.Errorf("%d bytes were compressed to %d (%v)", size, n, err)
	}
}

func TestALayerHoldsTheFile(t *testing.T) {
	t.Parallel()
	l, err := bytesLayer("program", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tr := tar.NewReader(r)
	h, err := tr.Next()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(tr)
	if err != nil || !bytes.Equal(content, []byte("content")) {
		t.Errorf("content %q, %v", content, err)
	}
	if h.Name != "program" || h.Mode != 0o755 || !h.ModTime.Equal(created()) {
		t.Errorf("header %+v", h)
	}
}
