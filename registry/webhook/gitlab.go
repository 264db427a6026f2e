package webhook

import (
	"errors"
	"strings"
)

// decodeGitLab reads pipeline and job events, of which only those that ended
// well count: the registry of gitlab.com sends nothing itself. Where the
// pipeline has a variable IMAGE, that is the image; else any image of the
// project may have been pushed. Neither name is refused, whoever chose it:
// GitLab switches a hook off that refuses too often.
func decodeGitLab(d Delivery) ([]claim, error) {
	var event struct {
		Kind       string `json:"object_kind"`
		JobStatus  string `json:"build_status"`
		Attributes struct {
			Status    string
			Variables []struct{ Key, Value string }
		} `json:"object_attributes"`
		Project struct {
			Path string `json:"path_with_namespace"`
		}
	}
	if err := readKind(d.Body, &event.Kind); err != nil {
		return nil, err
	}
	if event.Kind != "pipeline" && event.Kind != "build" {
		return nil, nil
	}
	if err := read(d.Body, &event); err != nil {
		return nil, err
	}
	if event.Attributes.Status != "success" && event.JobStatus != "success" {
		return nil, nil
	}
	id := header(d, "Idempotency-Key", "Webhook-Id", "X-Gitlab-Event-Uuid")
	for _, v := range event.Attributes.Variables {
		image := claim{at: "object_attributes.variables", ref: v.Value, id: id}
		if _, err := image.event(); v.Key == "IMAGE" && v.Value != "" && err == nil {
			return []claim{image}, nil
		}
	}
	path := strings.ToLower(event.Project.Path)
	if path == "" {
		return nil, errors.New("project.path_with_namespace: missing")
	}
	return []claim{{at: "project.path_with_namespace", path: path, below: true, id: id, lax: true}}, nil
}

// readKind reads what an event tells of: events of other kinds have other shapes.
func readKind(body []byte, kind *string) error {
	var event struct {
		Kind string `json:"object_kind"`
	}
	if err := read(body, &event); err != nil {
		return err
	}
	if event.Kind == "" {
		return errors.New("object_kind: missing")
	}
	*kind = event.Kind
	return nil
}
