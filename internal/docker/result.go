package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"

	"github.com/prewarm/prewarm/internal/problem"
)

// resultLimit is how long an engine may take to give a file: much longer than
// any takes.
const resultLimit = createLimit

// Result gives a file of a container that has ended. It ends with
// problem.ResultMissing where there is none, or none that is a plain file,
// ResultTooLarge where it is longer than limit bytes, ContainerLost,
// HostUnreachable or EngineAPI.
func (h *Host) Result(ctx context.Context, id, path string, limit int64) ([]byte, error) {
	what := "read " + path + " of container " + short(id)
	var data []byte
	err := h.call(ctx, resultLimit, what, func(ctx context.Context, s *session) error {
		// Leaving early must end the request as well: closing its body alone
		// would drain it first.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		body, _, err := s.api.CopyFromContainer(ctx, id, path)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }() // nothing is read from it any more
		data, err = h.plainFile(body, what, limit)
		return err
	})
	switch {
	case err == nil:
		return data, nil
	case !errdefs.IsNotFound(err):
		return nil, err
	}
	// The same answer for a container and for a file that is not there.
	if _, lost := h.inspect(ctx, id); errdefs.IsNotFound(lost) {
		return nil, h.gone(what, lost)
	} else if lost != nil {
		return nil, lost
	}
	return nil, h.noResult(what, "the program left no such file")
}

// plainFile gives the file that an archive holds. The engine resolves the links
// on the way to it within the container, and sends the last one as a link.
func (h *Host) plainFile(archive io.Reader, what string, limit int64) ([]byte, error) {
	r := tar.NewReader(archive)
	header, err := r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, h.noResult(what, "the engine's archive is empty")
	case err != nil:
		return nil, err
	case header.Typeflag != tar.TypeReg:
		return nil, h.noResult(what, "it is no plain file")
	case header.Size > limit:
		return nil, h.longResult(what, fmt.Sprintf("it has %d bytes", header.Size), limit)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, h.longResult(what, "it goes on", limit)
	}
	return data, err
}

func (h *Host) noResult(what, why string) error {
	return problem.New(problem.ResultMissing, fmt.Sprintf("%s on host %s: %s", what, h.name, why), "let the program write its result there as a plain file")
}

func (h *Host) longResult(what, why string, limit int64) error {
	return problem.New(problem.ResultTooLarge, fmt.Sprintf("%s on host %s: %s, and %d are allowed", what, h.name, why, limit),
		"return less (a path, an id, a count), or raise the limit of results in the configuration")
}
