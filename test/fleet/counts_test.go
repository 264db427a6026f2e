package fleet

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreCountedByKind(t *testing.T) {
	t.Parallel()
	const digest = "sha256:0123"
	for _, tc := range []struct {
		method, path string
		status       int
		want         Counts
	}{
		{"GET", "/v2/", 200, Counts{Ping: 1}},
		{"GET", "/v2/", 401, Counts{Ping: 1, Refused: 1}},
		{"GET", "/token", 200, Counts{Token: 1}},
		{"POST", "/token", 200, Counts{Token: 1}},
		{"HEAD", "/v2/a/b/manifests/v1", 200, Counts{ManifestHead: 1}},
		{"GET", "/v2/a/b/manifests/" + digest, 404, Counts{ManifestGet: 1, Failed: 1}},
		{"HEAD", "/v2/a/blobs/" + digest, 200, Counts{BlobHead: 1}},
		{"GET", "/v2/a/blobs/" + digest, 503, Counts{BlobGet: 1, Failed: 1}},
		{"GET", "/v2/a/tags/list", 200, Counts{TagList: 1}},
		{"POST", "/v2/a/blobs/uploads/", 202, Counts{Write: 1}},
		{"DELETE", "/v2/a/manifests/" + digest, 202, Counts{Write: 1}},
		{"GET", "/v2/a/blobs/uploads/1", 204, Counts{Other: 1}},
		{"GET", "/", 200, Counts{Other: 1}},
	} {
		var c Counts
		c.add(httptest.NewRequest(tc.method, tc.path, http.NoBody), tc.status)
		if diff := cmp.Diff(tc.want, c); diff != "" {
			t.Errorf("%s %s, %d: %s", tc.method, tc.path, tc.status, diff)
		}
		if c.Requests() != 1 {
			t.Errorf("%s %s: %d requests", tc.method, tc.path, c.Requests())
		}
	}
}
