package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// window is how far a signature's time may be from when the delivery came,
// either way.
const window = 5 * time.Minute

// proof is a way to show that one knows a secret.
type proof struct {
	header string
	// beside are headers that it needs, too.
	beside []string
	// time is that of beside which tells, in seconds since 1970, when it was
	// made; empty: nothing tells.
	time string
	// fits tells whether the header's value was made with the secret.
	fits func(value, secret string, d Delivery) bool
	// what is in the header, and mend what to do where it does not fit.
	what, mend string
}

const (
	mendSignature = "set the same secret at the sender and in secret_file; what stands between them must pass the body on unchanged"
	mendSecret    = "set the same secret at the sender and in secret_file"
)

var (
	ownSignature = proof{
		header: "X-Prewarm-Signature", beside: []string{"X-Prewarm-Id", "X-Prewarm-Timestamp"}, time: "X-Prewarm-Timestamp",
		fits: fitsOwn, what: "the signature", mend: mendSignature,
	}
	// standardSignature is that of https://www.standardwebhooks.com.
	standardSignature = proof{
		header: "Webhook-Signature", beside: []string{"Webhook-Id", "Webhook-Timestamp"}, time: "Webhook-Timestamp",
		fits: fitsStandard, what: "the signature", mend: mendSignature,
	}
	hubSignature   = proof{header: "X-Hub-Signature-256", fits: fitsBody("sha256="), what: "the signature", mend: mendSignature}
	giteaSignature = proof{header: "X-Gitea-Signature", fits: fitsBody(""), what: "the signature", mend: mendSignature}
	gitLabToken    = proof{header: "X-Gitlab-Token", fits: fitsToken, what: "the token", mend: mendSecret}
	authorization  = proof{header: "Authorization", fits: fitsAuthorization, what: "the secret", mend: mendSecret}
)

func fitsOwn(value, secret string, d Delivery) bool {
	sent, err := hex.DecodeString(strings.TrimPrefix(value, "v1="))
	return err == nil && strings.HasPrefix(value, "v1=") &&
		hmac.Equal(sent, mac([]byte(secret), d.Header.Get("X-Prewarm-Id"), d.Header.Get("X-Prewarm-Timestamp"), string(d.Body)))
}

// fitsStandard takes several signatures, of which one has to fit: their sender
// may be exchanging its key.
func fitsStandard(value, secret string, d Delivery) bool {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			key = decoded
		}
	}
	if len(key) == 0 { // anybody could sign with that
		return false
	}
	want := mac(key, d.Header.Get("Webhook-Id"), d.Header.Get("Webhook-Timestamp"), string(d.Body))
	for _, signature := range strings.Fields(value) {
		encoded, ok := strings.CutPrefix(signature, "v1,")
		sent, err := base64.StdEncoding.DecodeString(encoded)
		if ok && err == nil && hmac.Equal(sent, want) {
			return true
		}
	}
	return false
}

// fitsBody is for signatures of the body alone, in hex.
func fitsBody(prefix string) func(value, secret string, d Delivery) bool {
	return func(value, secret string, d Delivery) bool {
		encoded, ok := strings.CutPrefix(value, prefix)
		sent, err := hex.DecodeString(encoded)
		return ok && err == nil && hmac.Equal(sent, mac([]byte(secret), string(d.Body)))
	}
}

func fitsToken(value, secret string, _ Delivery) bool { return same(value, secret) }

// fitsAuthorization takes the secret as it is, as a bearer token and as the
// password of whatever user: senders differ in which of them one can set.
func fitsAuthorization(value, secret string, _ Delivery) bool {
	if same(value, secret) {
		return true
	}
	scheme, rest, _ := strings.Cut(value, " ")
	if strings.EqualFold(scheme, "Bearer") {
		return same(strings.TrimSpace(rest), secret)
	}
	_, password, ok := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
	return ok && same(password, secret)
}

// mac signs the parts, with dots between them.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join(parts, ".")))
	return h.Sum(nil)
}

// same compares in a time that tells neither where two texts differ nor how
// long the secret one is.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// tooFar says what is wrong with the time of a signature that came at a moment;
// nothing where it is near.
func tooFar(seconds string, at time.Time) string {
	sent, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return " is not a number of seconds since 1970"
	}
	behind := float64(at.Unix()) - float64(sent)
	if math.Abs(behind) <= window.Seconds() {
		return ""
	}
	direction := "behind"
	if behind < 0 {
		direction = "ahead of"
	}
	return fmt.Sprintf(" is %.0f min %s this machine's clock, and %.0f are allowed", math.Ceil(math.Abs(behind)/60), direction, window.Minutes())
}
