package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
)

// explainPull says why a pull ended. Before its first message an engine answers
// with a status, and most of those are a plain 500; after it, with a message in
// a stream that began with 200. So the class is asked first and the text next.
func (h *Host) explainPull(ctx context.Context, s *session, pin registry.Pin, err error) error {
	var told *jsonmessage.JSONError
	what := "pull " + pin.String()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return h.gaveUp(ctx, what)
	case !errors.As(err, &told) && unanswered(err):
		return h.explain(ctx, s, what, err)
	}
	found := classify(err, told, anonymous(err.Error(), pin.Repository()))
	message := fmt.Sprintf("%s on host %s: %s", what, h.name, found.means)
	return problem.Wrap(found.code, &answer{err}, message, found.mend)
}

// anonymous takes the repository's name out of what an engine said: a
// repository may be called timeout-demo.
func anonymous(text string, repo registry.Repository) string {
	return strings.NewReplacer(repo.String(), "", "/"+repo.Path()+"/", "/").Replace(text)
}

// classify finds what an engine's error about a pull means, from its class, the
// code that came in the stream, and its text.
func classify(err error, told *jsonmessage.JSONError, text string) saying {
	status := 0
	if told != nil {
		status = told.Code
	}
	switch {
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err),
		status == http.StatusUnauthorized, status == http.StatusForbidden:
		return saying{code: problem.RegistryAuth, means: "the registry refuses the credentials", mend: mendAuth}
	case errdefs.IsResourceExhausted(err), status == http.StatusTooManyRequests:
		return saying{code: problem.RegistryLimited, means: "the registry says: too many requests", mend: mendRegistry}
	}
	// Not before the text: a platform that is missing and a repository that may
	// not be seen are 404, too.
	if s, ok := heard(pullSayings, text); ok {
		return s
	}
	if errdefs.IsNotFound(err) || status == http.StatusNotFound {
		return saying{code: problem.TagNotFound, means: "the digest is gone upstream", mend: mendGone}
	}
	return saying{code: problem.EngineAPI, means: "the engine could not pull it", mend: "read the engine's log (journalctl -u docker)"}
}
