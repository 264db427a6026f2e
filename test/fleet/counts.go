package fleet

import (
	"net/http"
	"strings"
)

// Counts is what passed a Gate: requests by kind, and bytes.
type Counts struct {
	Ping, Token               int // GET /v2/, and what asked for a token
	ManifestHead, ManifestGet int
	BlobHead, BlobGet         int
	TagList                   int
	Write                     int // pushes and deletions, each request of them
	Other                     int
	Refused                   int   // of all these, answered with 401
	Failed                    int   // of all these, answered with another 4xx or with 5xx
	Bytes                     int64 // of the bodies of all answers
	BlobBytes                 int64 // of the blobs among them
}

// Requests is how many there were of all kinds.
func (c Counts) Requests() int {
	return c.Ping + c.Token + c.ManifestHead + c.ManifestGet + c.BlobHead + c.BlobGet + c.TagList + c.Write + c.Other
}

// add counts a request with the status of its answer.
func (c *Counts) add(r *http.Request, status int) {
	*c.of(r)++
	switch {
	case status == http.StatusUnauthorized:
		c.Refused++
	case status >= http.StatusBadRequest:
		c.Failed++
	}
}

// of is where a request is counted.
func (c *Counts) of(r *http.Request) *int {
	path := r.URL.Path
	switch {
	case path == tokenPath:
		return &c.Token
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return &c.Write
	case path == "/v2/":
		return &c.Ping
	case strings.HasSuffix(path, "/tags/list"):
		return &c.TagList
	case strings.Contains(path, "/manifests/") && r.Method == http.MethodHead:
		return &c.ManifestHead
	case strings.Contains(path, "/manifests/"):
		return &c.ManifestGet
	case isBlob(r) && r.Method == http.MethodHead:
		return &c.BlobHead
	case isBlob(r):
		return &c.BlobGet
	}
	return &c.Other
}

func isBlob(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/sha256:") }
