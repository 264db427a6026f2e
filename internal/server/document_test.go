package server_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/server"
)

var update = flag.Bool("update", false, "write the documents anew")

const documentFile = "../../docs/openapi.yaml"

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	now, err := server.New(server.Options{Logger: discard}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(documentFile, now, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(now)); diff != "" {
		t.Errorf("docs/openapi.yaml is not what the server serves; make generate writes it anew (-committed +now):\n%s", diff)
	}
}

// document is the part of OpenAPI that the tests look at.
type document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Tags        []string              `json:"tags"`
	Security    []map[string][]string `json:"security"`
	Parameters  []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Schema      schema `json:"schema"`
	} `json:"parameters"`
	Responses map[string]struct {
		Description string `json:"description"`
		Content     map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Enum       []string          `json:"enum"`
	Examples   []any             `json:"examples"`
	Properties map[string]schema `json:"properties"`
	Additional any               `json:"additionalProperties"`
	Items      *schema           `json:"items"`
}

// values are those that a field, or each item of it, can have, sorted.
func (s schema) values() []string {
	if s.Items != nil {
		return s.Items.values()
	}
	return slices.Sorted(slices.Values(s.Enum))
}

// get asks a server that has no domain.
func get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	server.New(server.Options{Logger: discard}).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

var served = sync.OnceValues(func() (doc document, err error) {
	err = json.Unmarshal(get("http://localhost/openapi.json").Body.Bytes(), &doc)
	return doc, err
})

// readDocument gives the document as a client gets it.
func readDocument(t testing.TB) document {
	t.Helper()
	doc, err := served()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{"/openapi.json": "application/openapi+json", "/openapi.yaml": "application/openapi+yaml"} {
		w := get("http://localhost" + path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	committed, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := get("http://localhost/openapi.yaml").Body.String(); got != string(committed) && !*update {
		t.Error("what is served is not what is committed")
	}
}

func TestTheDocumentIsReadByManyAtOnce(t *testing.T) {
	t.Parallel()
	handler := server.New(server.Options{Logger: discard}).Handler()
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/openapi.json", nil))
			if !json.Valid(w.Body.Bytes()) {
				t.Error("cut off")
			}
		})
	}
	readers.Wait()
}

// codes are those that a response names.
func codes(description string) []string {
	var names []string
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(description, -1) {
		names = append(names, m[1])
	}
	return names
}

// find gives the operation that a request means, if any.
func (d document) find(method, path string) (operation, bool) {
	for template, methods := range d.Paths {
		pattern := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(regexp.QuoteMeta(template), "[^/]+")
		pattern = regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(pattern, "[^/]+")
		if ok, err := regexp.MatchString("^"+pattern+"$", path); err == nil && ok {
			o, ok := methods[strings.ToLower(method)]
			return o, ok
		}
	}
	return operation{}, false
}

// expectDocumented holds every answer that any test gets against the document.
func expectDocumented(t testing.TB, method, path string, resp *http.Response, body []byte) {
	t.Helper()
	o, ok := readDocument(t).find(method, path)
	if !ok {
		return
	}
	documented, ok := o.Responses[strconv.Itoa(resp.StatusCode)]
	if !ok {
		documented = o.Responses["default"]
	}
	if _, ok := documented.Content[resp.Header.Get("Content-Type")]; !ok {
		t.Errorf("%s: status %d with content type %q is not documented", o.OperationID, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if resp.StatusCode < http.StatusBadRequest {
		return
	}
	var p struct{ Code string }
	if err := json.Unmarshal(body, &p); err != nil {
		t.Errorf("%s: %v", o.OperationID, err)
	}
	always := []string{"invalid_request", "internal"}
	if !slices.Contains(append(codes(documented.Description), always...), p.Code) {
		t.Errorf("%s: status %d with code %q is not documented", o.OperationID, resp.StatusCode, p.Code)
	}
}

func TestTheDocumentIsComplete(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			if o.OperationID == "" || o.Summary == "" || len(o.Tags) != 1 {
				t.Errorf("%s %s: id %q, summary %q, tags %q", method, path, o.OperationID, o.Summary, o.Tags)
			}
			for _, p := range o.Parameters {
				if p.Description == "" {
					t.Errorf("%s: parameter %s has no description", o.OperationID, p.Name)
				}
			}
			if _, ok := o.Responses["default"]; !ok {
				t.Errorf("%s: no default response", o.OperationID)
			}
			for status, r := range o.Responses {
				if strings.HasPrefix(status, "2") {
					continue
				}
				if content, ok := r.Content["application/problem+json"]; !ok || len(r.Content) != 1 || content.Schema.Ref != "#/components/schemas/Problem" {
					t.Errorf("%s: %s is not our problem: %+v", o.OperationID, status, r)
				}
			}
		}
	}
	logs, ok := doc.find(http.MethodGet, "/v1/runs/1/logs")
	if content := logs.Responses["200"].Content; !ok || len(content) != 2 || content["application/x-ndjson"].Schema.Ref != "#/components/schemas/LogLine" {
		t.Errorf("logs: %+v", content)
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail", "Answer"} {
		if _, ok := doc.Components.Schemas[name]; ok {
			t.Errorf("a foreign schema: %s", name)
		}
	}
	for name, s := range doc.Components.Schemas {
		closed := s.Additional == false
		parts := []string{"SubmitRun", "SecretEnv", "Port", "Mount", "Scratch", "Ulimit", "Device"} // of a submit
		if request := slices.Contains(parts, name) || strings.HasSuffix(name, "Request"); closed != request {
			t.Errorf("%s: closed to new fields: %v", name, closed)
		}
	}
	for _, field := range []string{"image", "command", "env", "memory", "cpus", "wait_warm", "key", "pin_scope", "result"} {
		if len(doc.Components.Schemas["SubmitRun"].Properties[field].Examples) == 0 {
			t.Errorf("submit: no example of %s", field)
		}
	}
}
