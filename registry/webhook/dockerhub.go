package webhook

import "errors"

// decodeDockerHub reads a push to Docker Hub, which sends nothing else. Its
// callback_url is never called: whoever knows the hook's address could have us
// call what they like.
func decodeDockerHub(d Delivery) ([]claim, error) {
	var push struct {
		PushData struct {
			Tag       string
			MediaType string `json:"media_type"`
		} `json:"push_data"`
		Repository struct {
			RepoName string `json:"repo_name"`
		}
	}
	if err := read(d.Body, &push); err != nil {
		return nil, err
	}
	if push.Repository.RepoName == "" {
		return nil, errors.New("repository.repo_name: missing")
	}
	if isArtefact(push.PushData.MediaType) {
		return nil, nil
	}
	return []claim{{at: "repository.repo_name", registry: "docker.io", path: push.Repository.RepoName, tag: push.PushData.Tag}}, nil
}
