package webhook

import "errors"

// decodeACR reads an event of Azure's registry: one of Distribution without the
// envelope. Its registry's test sends a ping.
func decodeACR(d Delivery) ([]claim, error) {
	var n notification
	if err := read(d.Body, &n); err != nil {
		return nil, err
	}
	if n.Action == "" {
		return nil, errors.New("action: missing")
	}
	if !n.isImage() {
		return nil, nil
	}
	return []claim{n.claim("target")}, nil
}
