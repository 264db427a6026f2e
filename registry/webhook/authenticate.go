package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// Authenticate tells whether a delivery was made by somebody who knows one of
// the secrets: one, or two while one is exchanged for another. It looks at the
// bytes as they came, before anything of them is read. The error is a
// *problem.Error that says what is wrong, and neither a secret nor what was sent
// in its place.
func Authenticate(kind Kind, secrets []string, d Delivery) error {
	proofs := senders[kind].proofs
	if len(proofs) == 0 {
		return denied(kind, "its sender can't show that it knows a secret", "give the hook a secret address by path_secret_file")
	}
	var first error
	for _, p := range proofs {
		if d.Header.Get(p.header) == "" {
			continue
		}
		err := p.check(kind, secrets, d)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return denied(kind, "it has no header "+headersOf(proofs), "give the sender the secret that is in the hook's secret_file")
	}
	return first
}

// SamePath tells whether the last part of an address is one of those accepted.
func SamePath(accepted []string, got string) bool {
	found := false
	for _, a := range accepted {
		// All are compared: how long it takes tells nothing.
		if a != "" && same(a, got) {
			found = true
		}
	}
	return found
}

func headersOf(proofs []proof) string {
	var names []string
	for _, p := range proofs {
		names = append(names, p.header)
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return names[0]
}

func denied(kind Kind, why, mend string) error {
	return problem.New(problem.WebhookDenied, fmt.Sprintf("authenticate a delivery of kind %s: %s", kind, why), mend)
}

// check is nil where the proof holds.
func (p proof) check(kind Kind, secrets []string, d Delivery) error {
	missing := func(header string) bool { return d.Header.Get(header) == "" }
	if i := slices.IndexFunc(p.beside, missing); i >= 0 {
		return denied(kind, "it has no header "+p.beside[i], "send it beside "+p.header)
	}
	fits := false
	for _, secret := range secrets {
		// All are tried: how long it takes tells nothing.
		if secret != "" && p.fits(d.Header.Get(p.header), secret, d) {
			fits = true
		}
	}
	if !fits {
		return denied(kind, fmt.Sprintf("%s in %s does not match", p.what, p.header), p.mend)
	}
	if p.time == "" {
		return nil
	}
	if why := tooFar(d.Header.Get(p.time), d.At); why != "" {
		return denied(kind, p.time+why, "set the clocks of both machines, and sign a delivery anew each time it is sent")
	}
	return nil
}
