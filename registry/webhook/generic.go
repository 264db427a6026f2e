package webhook

import (
	"errors"
	"fmt"
)

// decodeGeneric reads the body that Prewarm asks CI for.
func decodeGeneric(d Delivery) ([]claim, error) {
	var push struct {
		Images        []struct{ Ref, Digest string }
		Image, Digest string
	}
	if err := read(d.Body, &push); err != nil {
		return nil, err
	}
	if push.Image == "" && push.Images == nil {
		return nil, errors.New("image, images: missing")
	}
	id := header(d, "X-Prewarm-Id", "Webhook-Id")
	var claims []claim
	if push.Image != "" {
		claims = append(claims, claim{at: "image", ref: push.Image, digest: push.Digest, id: id})
	}
	for i, image := range push.Images {
		at := fmt.Sprintf("images[%d]", i)
		if image.Ref == "" {
			return nil, fmt.Errorf("%s.ref: missing", at)
		}
		claims = append(claims, claim{at: at, ref: image.Ref, digest: image.Digest, id: id})
	}
	return claims, nil
}
