package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// answerWithin is how long a registry of this machine may take to say a word.
const answerWithin = 5 * time.Second

// PlainHere tells whether a registry is one of this machine that speaks HTTP
// without TLS: engines take that of such an address, too. One that answers
// nothing is taken for one: certificates for localhost are rare.
func PlainHere(ctx context.Context, address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return true
	}
	defer answer.Body.Close()
	// What speaks TLS answers HTTP with 400.
	return answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized
}
