package server

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// apiVersion is that of the API, which is not the program's.
const apiVersion = "1"

func apiConfig() huma.Config {
	config := huma.DefaultConfig("Prewarm", apiVersion)
	config.Info.Description = "Keeps container images warm on a fleet of Docker hosts and runs tasks only on warm, digest-pinned images.\n\n" +
		"Every answer with a status of 400 or more is a problem (RFC 9457, application/problem+json) with a stable `code`; " +
		"where it says when to come back, it does so in the header Retry-After, too.\n\n" +
		"A caller sees the runs and pin scopes of its own namespace; those of others are not there for it, unless it has the scope `admin`."
	config.Tags = []*huma.Tag{
		{Name: "images", Description: "What is watched, and where it is warm."},
		{Name: "runs", Description: "Tasks, their logs and outcomes."},
		{Name: "scopes", Description: "Pin scopes: names within which images keep their digests."},
		{Name: "hosts", Description: "The Docker hosts."},
		{Name: "pauses", Description: "What people stopped for a while."},
		{Name: "pruning", Description: "What may go from the hosts, and why the rest stays."},
		{Name: "webhooks", Description: "Where registries and CI tell of pushes."},
		{Name: "tokens", Description: "Who may use the API."},
		{Name: "audit", Description: "What was done by it."},
		{Name: "backup", Description: "The whole state, in a file."},
		{Name: "notices", Description: "What people are told."},
		{Name: "probes", Description: "For whoever supervises the server."},
	}
	config.Components.SecuritySchemes = securitySchemes()
	config.CreateHooks = nil // no $schema link in every answer
	config.DocsPath = ""     // the page would load scripts from elsewhere
	config.SchemasPath = ""
	config.OpenAPIPath = "" // huma's own handlers race for their cache
	config.RejectUnknownQueryParameters = true
	return config
}

// OpenAPI is the document that describes the API, as YAML.
func (s *Server) OpenAPI() ([]byte, error) { return s.api.OpenAPI().YAML() }

func (s *Server) serveDocument(mux *http.ServeMux) {
	serve := func(contentType string, make func() ([]byte, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			b, err := make()
			if err != nil {
				failure(err).write(w)
				return
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b) // a reader that went away needs no answer
		}
	}
	mux.HandleFunc("GET /openapi.json", serve("application/openapi+json", s.api.OpenAPI().MarshalJSON))
	mux.HandleFunc("GET /openapi.yaml", serve("application/openapi+yaml", s.OpenAPI))
}

// enumerateCodes lists in the schema of a problem which codes there are.
func (s *Server) enumerateCodes() {
	schemas := s.api.OpenAPI().Components.Schemas
	schemas.Schema(reflect.TypeFor[api.Problem](), true, "Problem")
	var codes []string
	for code := range statusOf {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	field := schemas.Map()["Problem"].Properties["code"]
	for _, code := range codes {
		field.Enum = append(field.Enum, code)
	}
}

// openAnswers lets answers gain fields in the documents of callers who have an
// older one; requests stay closed, so that a typing error in a field's name is
// refused.
func (s *Server) openAnswers() {
	doc := s.api.OpenAPI()
	schemas, closed := doc.Components.Schemas.Map(), make(map[string]bool)
	for _, item := range doc.Paths {
		if item.Post == nil || item.Post.RequestBody == nil {
			continue
		}
		if body := item.Post.RequestBody.Content["application/json"]; body != nil {
			closeAll(schemas, body.Schema, closed)
		}
	}
	for name, schema := range schemas {
		if !closed[name] {
			schema.AdditionalProperties = nil
		}
	}
}

// closeAll notes a schema and those that it is made of.
func closeAll(schemas map[string]*huma.Schema, schema *huma.Schema, closed map[string]bool) {
	if schema == nil {
		return
	}
	if _, name, ok := strings.Cut(schema.Ref, "#/components/schemas/"); ok && !closed[name] {
		closed[name] = true
		closeAll(schemas, schemas[name], closed)
	}
	closeAll(schemas, schema.Items, closed)
	for _, field := range schema.Properties {
		closeAll(schemas, field, closed)
	}
}

// describe adds to an operation its tag and the problems that it answers.
func (s *Server) describe(o *huma.Operation, codes []problem.Code) {
	o.Tags = []string{tagOf(o.Path)}
	if o.Responses == nil {
		o.Responses = make(map[string]*huma.Response)
	}
	byStatus := make(map[int][]string)
	if !o.SkipValidateParams {
		codes = append(codes, problem.InvalidRequest) // an unknown query parameter is one
	}
	if len(o.Security) > 0 {
		codes = append(codes, problem.Unauthenticated, problem.Forbidden, problem.TooManyRequests)
	}
	if actsOnImage(o) {
		codes = append(codes, problem.NotAllowed)
	}
	for _, code := range codes {
		byStatus[statusOf[code]] = append(byStatus[statusOf[code]], "`"+string(code)+"`")
	}
	for status, names := range byStatus {
		o.Responses[strconv.Itoa(status)] = s.problemResponse("Problem: "+strings.Join(names, ", ")+".", status == http.StatusTooManyRequests)
	}
	o.Responses["default"] = s.problemResponse("Any other problem.", false)
}

// tagOf is the noun of a path: images of /v1/images/{name}.
func tagOf(path string) string {
	noun, ok := strings.CutPrefix(path, "/v1/")
	if !ok {
		return "probes"
	}
	noun, _, _ = strings.Cut(noun, "/")
	switch noun {
	case "pause", "resume":
		return "pauses"
	case "notify-tests":
		return "notices"
	case "prune", "prunes", "explain":
		return "pruning"
	case "webhook-tests":
		return "webhooks"
	}
	return noun
}

func (s *Server) problemResponse(description string, retry bool) *huma.Response {
	r := &huma.Response{Description: description, Content: map[string]*huma.MediaType{problemType: {Schema: s.schemaOf(reflect.TypeFor[api.Problem]())}}}
	if retry {
		r.Headers = map[string]*huma.Param{"Retry-After": {
			Description: "Seconds until the same is worth trying again.",
			Schema:      &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return r
}

// schemaOf refers to the schema of a type of package api.
func (s *Server) schemaOf(t reflect.Type) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}
