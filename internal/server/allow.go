package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// everybody marks an operation that needs no caller.
const everybody access.Scope = ""

// allowed says which scope an operation needs. One that is missing here needs
// Admin.
var allowed = map[string]access.Scope{
	"healthz": everybody, "readyz": everybody,
	"deliver-webhook": everybody, "deliver-webhook-by-secret": everybody, // senders prove to the hook who they are

	"list-images": access.Read, "get-image": access.Read, "image-history": access.Read, "diff-image": access.Read,
	"list-runs": access.Read, "get-run": access.Read, "wait-run": access.Read, "get-logs": access.Read,
	"list-scopes": access.Read, "get-scope": access.Read,
	"list-hosts": access.Read, "list-host-images": access.Read, "explain": access.Read,
	"list-webhooks": access.Read, "test-webhook": access.Warm,
	"list-pauses": access.Read, "list-prunes": access.Read, "get-events": access.Read, "get-configuration": access.Read,

	"submit-run": access.Run, "check-run": access.Run, "cancel-run": access.Run, "reject-run": access.Run, "end-scope": access.Run, "repin-image": access.Run,

	"check-image": access.Warm, "warm-image": access.Warm, "hold-image": access.Warm, "unhold-image": access.Warm,
	"approve-digest": access.Warm, "roll-back-image": access.Warm,

	"list-notices": access.Admin, "test-notices": access.Admin, // they tell of every namespace
	"release-run": access.Admin, "drain-host": access.Admin, "undrain-host": access.Admin, "pause": access.Admin, "resume": access.Admin,
	"prune": access.Admin, "list-tokens": access.Admin, "create-token": access.Admin, "revoke-token": access.Admin, "list-calls": access.Admin, "make-backup": access.Admin,
}

// neededFor is the scope that an operation needs.
func neededFor(operation string) access.Scope {
	scope, known := allowed[operation]
	if !known {
		return access.Admin
	}
	return scope
}

// forEverybody tells a request that needs no caller.
func forEverybody(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/openapi.json", "/openapi.yaml":
		return true
	}
	return isDelivery(r) // its sender proves who it is to the hook
}

// followed are the operations whose answers may take hours. What of them waits
// for something counts against its caller's limit: see place.
var followed = map[string]bool{"get-logs": true, "get-events": true, "wait-run": true}

// harmless are the operations that change nothing though they are no GET.
var harmless = map[string]bool{"check-run": true}

// admit lets only callers with an operation's scope to its handler, before
// anything of the request is read, and writes down what may change something, or
// would have: who tries what a token is not for is of interest, too.
func (s *Server) admit(o *huma.Operation) {
	scope := neededFor(o.OperationID)
	if scope == everybody {
		o.Security = []map[string][]string{}
		return
	}
	o.Security = []map[string][]string{{tokenScheme: {string(scope)}}, {certificateScheme: {string(scope)}}}
	operation, changes, ofImage := o.OperationID, o.Method != http.MethodGet && !harmless[o.OperationID], actsOnImage(o)
	o.Middlewares = append(o.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(hc)
		c := callerOf(hc.Context())
		err := mayDo(c, scope, operation)
		if err == nil && ofImage {
			err = mayUse(c, hc.Param("name"))
		}
		if err != nil {
			next = func(hc huma.Context) { failure(err).send(hc) }
		}
		if err == nil && followed[operation] {
			defer s.watch(r, c, scope)()
		}
		if changes {
			s.record(hc, operation, next)
			return
		}
		next(hc)
	})
}

// actsOnImage tells an operation that does something to the image of its path.
func actsOnImage(o *huma.Operation) bool {
	return o.Method != http.MethodGet && strings.HasPrefix(o.Path, "/v1/images/{name}/")
}

func mayDo(c access.Caller, scope access.Scope, operation string) error {
	if c.May(scope) {
		return nil
	}
	return forbidden(c, operation, "it lacks the scope "+string(scope))
}

func forbidden(c access.Caller, what, why string) error {
	return problem.New(problem.Forbidden, fmt.Sprintf("%s may not %s: %s", c.Name, strings.ReplaceAll(what, "-", " "), why), "use a token that may, or ask for one")
}

// mayUse refuses what is done to an image that the caller's token is not for. A
// name may be image:tag.
func mayUse(c access.Caller, name string) error {
	image, _, _ := strings.Cut(name, ":")
	if c.MayUse(image) {
		return nil
	}
	return problem.New(problem.NotAllowed, fmt.Sprintf("the caller's token does not allow image %s: it is for %s", image, strings.Join(c.Images, ", ")), "use another token")
}

// The ways to say who one is, as the document names them.
const (
	tokenScheme       = "token"
	certificateScheme = "certificate"
)

func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		tokenScheme: {
			Type: "http", Scheme: "bearer", BearerFormat: "pw_…",
			Description: "A token of POST /v1/tokens or of the configuration. While there are none, programs on the server's machine need none.",
		},
		certificateScheme: {Type: "mutualTLS", Description: "A client certificate whose common name the configuration knows."},
	}
}
