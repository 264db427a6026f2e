package server

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/problem"
)

// maxBodiesBytes bounds the bodies of deliveries that are read at once: anybody
// may send one, and most prove who sent them by a signature of the whole.
const maxBodiesBytes = 64 << 20

// bodies counts the bytes of the deliveries that are being read.
type bodies struct{ taken atomic.Int64 }

// take makes room for a body, and gives what gives it back; false: there is none.
func (b *bodies) take(bytes int64) (leave func(), ok bool) {
	if b.taken.Add(bytes) > maxBodiesBytes {
		b.taken.Add(-bytes)
		return nil, false
	}
	return func() { b.taken.Add(-bytes) }, true
}

// bound lets a delivery's body be read only where there is a hook at its address,
// and room.
func (s *Server) bound(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if err := s.opts.Webhooks.Expect(hc.Param("name"), hc.Param("secret"), time.Now(), senderOf(r.RemoteAddr)); err != nil {
		failure(err).write(w)
		return
	}
	bytes := r.ContentLength
	if bytes < 0 || bytes > maxDeliveryBytes { // it does not say, or is refused once that much was read
		bytes = maxDeliveryBytes
	}
	leave, ok := s.bodies.take(bytes)
	if !ok {
		busy := problem.New(problem.WebhookBusy, "more deliveries are being read than there is room for", "send it again")
		busy.RetryAfter = time.Second
		failure(busy).write(w)
		return
	}
	defer leave()
	next(hc)
}

// senderOf is the address of a connection without its port.
func senderOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}
