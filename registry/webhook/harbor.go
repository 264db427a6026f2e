package webhook

import (
	"errors"
	"fmt"
)

// harborPush is what Harbor tells of a push, whatever envelope it is in.
type harborPush struct {
	Resources []struct {
		Digest, Tag string
		URL         string `json:"resource_url"`
	}
	Repository struct {
		FullName string `json:"repo_full_name"`
	}
}

// decodeHarbor reads Harbor's own envelope, that of its version 1, and
// CloudEvents.
func decodeHarbor(d Delivery) ([]claim, error) {
	envelope, err := readCloudEvent(d)
	if err != nil {
		return nil, err
	}
	if envelope.Type != "" {
		if envelope.Type != "harbor.artifact.pushed" {
			return nil, nil
		}
		var push harborPush
		if err := read(envelope.Data, &push); err != nil {
			return nil, err
		}
		return push.claims("data", envelope.ID)
	}
	var kind struct{ Type string }
	if err := read(d.Body, &kind); err != nil {
		return nil, err
	}
	switch kind.Type {
	case "PUSH_ARTIFACT", "pushImage":
	case "":
		return nil, errors.New("type: missing")
	default:
		return nil, nil
	}
	var event struct {
		Data harborPush `json:"event_data"`
	}
	if err := read(d.Body, &event); err != nil {
		return nil, err
	}
	return event.Data.claims("event_data", "")
}

func (p harborPush) claims(at, id string) ([]claim, error) {
	if len(p.Resources) == 0 {
		return nil, fmt.Errorf("%s.resources: missing", at)
	}
	var claims []claim
	for i, r := range p.Resources {
		claims = append(claims, claim{
			at: fmt.Sprintf("%s.resources[%d]", at, i), ref: r.URL, path: p.Repository.FullName, tag: r.Tag, digest: r.Digest, id: id,
		})
	}
	return claims, nil
}
