package fleet

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// programMode is what files of the layers made here get: all may run them.
const programMode = 0o755

// fileLayer is a layer that holds one file. open gives its content, always
// the same, size bytes long.
func fileLayer(name string, size int64, open func() io.Reader) (v1.Layer, error) {
	return layerOf(func(w *tar.Writer) error {
		if err := w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: programMode, Size: size, ModTime: created(),
		}); err != nil {
			return err
		}
		_, err := io.Copy(w, open())
		return err
	})
}

// bytesLayer is a layer that holds one file with this content.
func bytesLayer(name string, content []byte) (v1.Layer, error) {
	return fileLayer(name, int64(len(content)), func() io.Reader { return bytes.NewReader(content) })
}

// randomLayer is a layer of size bytes that look random and are the same for
// the same seed and number. They are made anew at each reading, so a large
// layer needs no memory.
func randomLayer(seed uint64, number int, size int64) (v1.Layer, error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(number))
	return fileLayer(fmt.Sprintf("random-%d", number), size, func() io.Reader {
		return io.LimitReader(rand.NewChaCha8(key), size)
	})
}

// layerOf makes a layer of what write puts into a tar stream. It is asked for
// several times (for two digests and for the upload), each time from the start.
func layerOf(write func(w *tar.Writer) error) (v1.Layer, error) {
	open := func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() {
			tw := tar.NewWriter(w)
			err := write(tw)
			if err == nil {
				err = tw.Close()
			}
			w.CloseWithError(err)
		}()
		return r, nil
	}
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
