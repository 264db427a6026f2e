package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const schemaFile = "../docs/prewarm.schema.json"

func mustSchema(t *testing.T) []byte {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSchemaIsWritten(t *testing.T) {
	t.Parallel()
	checkGolden(t, schemaFile, string(mustSchema(t)))
}

// compiled is the schema as a validator understands it; it checks the schema
// against the dialect, too.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(mustSchema(t)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("prewarm.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("prewarm.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asEditor reads YAML as an editor does.
func asEditor(text []byte) (any, error) {
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
}

func TestSchemaTakesExamples(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	examples := map[string][]byte{}
	for _, file := range []string{"testdata/full.yaml", "testdata/hosts.yaml", "../docs/configuration.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples[file] = text
	}
	for _, example := range yamlExamples.FindAllSubmatch(examples["../docs/configuration.md"], -1) {
		examples[string(example[1])] = example[1]
	}
	delete(examples, "../docs/configuration.md")
	redacted, err := mustLoad(t, "testdata/full.yaml").Redacted()
	if err != nil {
		t.Fatal(err)
	}
	examples["what Redacted writes"] = redacted
	for name, text := range examples {
		doc, err := asEditor(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unseen are the mistakes that a schema can't see: they are in other files, lie
// between entries, or need more than a pattern.
var unseen = regexp.MustCompile(`^(file-(merge-key|two-documents)` +
	`|(host|image|registry)-name-taken|host-endpoint-(taken|ssh-same|ssh-p.*|tcp-.*)|host-(ssh|tls)-not-.*|host-tls-(and-insecure|ca-missing|key-other)` +
	`|host-ssh-k.*|hosts-file-.*|host-disk-(budget-(below|small)|low-above|small|tcp|units)` +
	`|host-(aliases-(endpoint|other|password|taken|twice)|binds-(spelling|twice)|env-twice)` +
	`|run-(cpus-(nano|zero)|cap-drop|dns|label-ours|memory-(exponent|large|small|swap-small)|mount-.*|network-(host|policy)|security-opt-p.*|shm|stop-.*|ulimit-.*)` +
	`|runner-(grace|log-.*|max-result|secret-key-.*)|policy-(cap-.*|networks-host|sysctl-host)|forward-(address-missing|path-.*|twice)` +
	`|prune-(host-(labels-(empty|none)|nothing)|protect-twice|schedule.*|window.*)|image-prune-keep-min` +
	`|image-(no-hosts|same-tag|selector-none|watch-.*|retag-.*|straggler)|image-repository-(invalid|tag|upper-case)` +
	`|image-select-(include|extract|range.*)|image-window-(days|dates|zone)|image-promote-window|image-verify-(relative|template.*|timeout)` +
	`|limits-rate-(much|zero)|registry-(ca|key-no|key-other|cert-no|mirror-name|mirror-itself|colon-forgotten).*|registry-name-(invalid|no-host)` +
	`|registry-username-alone|secret-file-(device|empty|folder|missing)|state-path-nul` +
	`|server-listen-(all|blank|ipv6|name|public)|server-tls-(and-insecure|cert-missing|cert-nothing|client-ca-nothing|empty|expired|key-other|no-name|not-serving)` +
	`|server-link-life-long|server-public-url-(path|port)|auth-(admin-limited|certificate-no-ca)|auth-scopes-twice|auth-token-(blank|expires-zero|file-.*|missing|name-taken|same)` +
	`|webhook-name-taken|webhook-fields-(kind|nothing|step)|webhook-path-(missing|short|signs)|webhook-previous-(alone|same)` +
	`|webhook-registry-(fields|zot)|webhook-secret-(blank|file-short|missing|unsigned)` +
	`|notify-(name-taken|nowhere|text|title|two-ways)|notify-email-(ca-.*|clear-password|port)|notify-slack-(empty|file-missing|url)` +
	`|notify-webhook-(ca|secret-short|url-file|url-password))$`)

func TestSchemaRefusesMistakes(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		doc, err := asEditor(text)
		if err == nil {
			err = s.Validate(doc)
		}
		if saw := err != nil; saw == unseen.MatchString(name) {
			t.Errorf("%s: the schema says %v", name, err)
		}
	}
}

// Each key is described, and no other.
func TestKeysAreTheDocument(t *testing.T) {
	t.Parallel()
	var names []string
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		for _, f := range fieldsOf(typ) {
			if name := defName(typ) + "." + f.key; !slices.Contains(names, name) {
				names = append(names, name)
			}
			if inner := elem(f.typ); inner.Kind() == reflect.Struct {
				visit(inner)
			}
		}
	}
	visit(reflect.TypeFor[document]())
	for _, name := range names {
		if k := keys[name]; !strings.HasSuffix(k.about, ".") {
			t.Errorf("%s is described as %q, want a sentence", name, k.about)
		}
	}
	for name := range keys {
		if !slices.Contains(names, name) {
			t.Errorf("%s is described, and is no key", name)
		}
	}
}

func elem(typ reflect.Type) reflect.Type {
	if typ.Kind() == reflect.Slice {
		return typ.Elem()
	}
	return typ
}
