package docker

import (
	"errors"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/prewarm/prewarm/internal/problem"
)

// TestClassify holds what engines say against what it means.
func TestClassify(t *testing.T) {
	t.Parallel()
	repo := mustPin(t, "10.0.0.1:5000/etl/timeout-demo@"+digestA).Repository()
	text := func(s string) error { return &jsonmessage.JSONError{Message: s} }
	for _, c := range []struct {
		err  error
		want problem.Code
	}{
		{text("write /var/lib/docker/tmp/GetImageBlob1: no space left on device"), problem.NoSpace},
		{text("no matching manifest for linux/amd64 in the manifest list entries"), problem.PlatformMissing},
		{text(`toomanyrequests: You have reached your pull rate limit`), problem.RegistryLimited},
		{text("unauthorized: authentication required"), problem.RegistryAuth},
		{text(`Head "http://10.0.0.1:5000/v2/etl/timeout-demo/manifests/x": no basic auth credentials`), problem.RegistryAuth},
		{text("pull access denied for etl/jobs, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"), problem.RegistryAuth},
		{text("error parsing HTTP 403 response body: 403 Forbidden"), problem.RegistryAuth},
		{text("manifest for 10.0.0.1:5000/etl/timeout-demo@sha256:aa not found: manifest unknown: manifest unknown"), problem.TagNotFound},
		{text("open /var/lib/docker/x: permission denied: try as root"), problem.EngineAPI},
		{text(`lease "abc": does not exist`), problem.EngineAPI},
		{text("failed commit on ref: rename ingest"), problem.EngineAPI},
		{text("context canceled"), problem.HostUnreachable},
		{text("grpc: the client connection is closing"), problem.HostUnreachable},
		{text("archive/tar: invalid tar header"), problem.EngineAPI},
		{text("http: server gave HTTP response to HTTPS client"), problem.RegistryUnavailable},
		{text(`Get "http://10.0.0.1:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused`), problem.RegistryUnavailable},
		{text("received unexpected HTTP status: 503 Service Unavailable"), problem.RegistryUnavailable},
		{text(`Get "https://reg/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`), problem.RegistryUnavailable},
		{text(`Get "http://10.0.0.1:5000/v2/": EOF`), problem.RegistryUnavailable},
		{text("10.0.0.1:5000/etl/timeout-demo: something new"), problem.EngineAPI},
		{&jsonmessage.JSONError{Code: 401, Message: "no"}, problem.RegistryAuth},
		{&jsonmessage.JSONError{Code: 404, Message: "no"}, problem.TagNotFound},
		{&jsonmessage.JSONError{Code: 429, Message: "no"}, problem.RegistryLimited},
		{errors.Join(errdefs.ErrUnauthenticated, errors.New("no")), problem.RegistryAuth},
		{errors.Join(errdefs.ErrNotFound, errors.New("no match for platform in manifest")), problem.PlatformMissing},
		{errors.Join(errdefs.ErrNotFound, errors.New("no")), problem.TagNotFound},
	} {
		var told *jsonmessage.JSONError
		_ = errors.As(c.err, &told)
		got := classify(c.err, told, anonymous(c.err.Error(), repo))
		if got.code != c.want || got.means == "" || got.mend == "" {
			t.Errorf("%q: got %+v, want %s with meaning and mend", c.err, got, c.want)
		}
	}
}
