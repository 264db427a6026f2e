package webhook

import (
	"errors"
	"fmt"
)

// decodeQuay reads what Quay tells of a repository. Of a push it tells which
// tags it moved, of anything else (a scan, a mirror, a build) it tells none.
func decodeQuay(d Delivery) ([]claim, error) {
	var push struct {
		DockerURL   string   `json:"docker_url"`
		UpdatedTags []string `json:"updated_tags"`
	}
	if err := read(d.Body, &push); err != nil {
		return nil, err
	}
	if push.DockerURL == "" {
		return nil, errors.New("docker_url: missing")
	}
	var claims []claim
	for i, tag := range push.UpdatedTags {
		claims = append(claims, claim{at: fmt.Sprintf("updated_tags[%d]", i), ref: push.DockerURL, tag: tag})
	}
	return claims, nil
}
