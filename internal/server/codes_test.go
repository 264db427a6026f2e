package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
)

// What the document enumerates is written down in the domain, too.
func TestTheDocumentKnowsAllStates(t *testing.T) {
	t.Parallel()
	schemas := readDocument(t).Components.Schemas
	for _, c := range []struct {
		file, kind    string
		schema, field string
	}{
		{"../../runner/run.go", "State", "Run", "state"},
		{"../../runner/engine.go", "Stream", "LogLine", "stream"},
		{"../../runner/run.go", "StopReason", "Run", "stop"},
		{"../../runner/terms.go", "Join", "SubmitRun", "join"},
		{"../../runner/terms.go", "OnConflict", "SubmitRun", "on_conflict"},
		{"../../runner/terms.go", "KeepaliveAction", "SubmitRun", "keepalive_action"},
		{"../../runner/terms.go", "ScopeUse", "Submitted", "scope"},
		{"../../runner/spec.go", "Kind", "Mount", "type"},
		{"../../warmer/status.go", "HostState", "HostCopy", "state"},
		{"../../warmer/rollout.go", "Phase", "Rollout", "phase"},
		{"../../warmer/plan.go", "Contact", "Host", "contact"},
		{"../../warmer/rollout.go", "Reason", "Rollout", "holds"},
		{"../../warmer/rollout.go", "Reason", "Checked", "holds"},
		{"../../warmer/store.go", "Verb", "Act", "verb"},
		{"../../warmer/events.go", "Kind", "Event", "kind"},
		{"../../warmer/store.go", "Activity", "Pause", "what"},
		{"../../warmer/pruning.go", "Trigger", "Pass", "trigger"},
		{"../../warmer/pruning.go", "RemovalOutcome", "PassRemoval", "outcome"},
		{"../../warmer/prune/policy.go", "Rule", "PassRemoval", "rule"},
		{"../../warmer/hints/setup.go", "Verdict", "Delivery", "verdict"},
		{"../../warmer/prune/policy.go", "Rule", "PruneVerdict", "rule"},
	} {
		want, got := constants(t, c.file, c.kind), schemas[c.schema].Properties[c.field].values()
		if !slices.Equal(got, want) {
			t.Errorf("%s.%s is one of %q, the domain has %q", c.schema, c.field, got, want)
		}
	}
}

func TestRunsCanBeListedByEveryState(t *testing.T) {
	t.Parallel()
	list, _ := readDocument(t).find(http.MethodGet, "/v1/runs")
	for _, p := range list.Parameters {
		if p.Name != "state" {
			continue
		}
		if want, got := constants(t, "../../runner/run.go", "State"), p.Schema.values(); !slices.Equal(got, want) {
			t.Errorf("state is one of %q, the domain has %q", got, want)
		}
		return
	}
	t.Error("there is no parameter state")
}

// elsewhere are the codes that are no answers of the API.
var elsewhere = []string{
	"image_lost", "pull_stalled",
	"start_failed", "container_lost", "engine_restarted", // why a run or a copy failed
	"exit_code", "signaled", "out_of_memory", "canceled", "deadline_passed", "caller_silent", "replaced", "already_succeeded", "released",
	"contact_lost", "engine_replaced", // why a run ended as it did
	"result_missing", "result_invalid", "result_too_large", // what became of its result
	"volume_in_use",                     // tried again
	"server_unreachable", "server_lost", // the client's own
	"invalid_config", "listen_failed", "state_locked", "state_corrupt", "state_newer", // before the server serves
	"state_not_empty", "backup_broken", // of a restore
	"state_restored",
}

func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	enum := readDocument(t).Components.Schemas["Problem"].Properties["code"].Enum
	for _, code := range constants(t, "../problem/codes.go", "Code") {
		if slices.Contains(enum, code) == slices.Contains(elsewhere, code) {
			t.Errorf("%s: give it a status in statusOf, or name it here as one that the API never answers", code)
		}
	}
}

// constants reads the values of the constants of a type from source.
func constants(t *testing.T, file, kind string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == kind {
			for _, v := range spec.Values {
				if text, err := strconv.Unquote(v.(*ast.BasicLit).Value); err == nil {
					found[text] = true
				}
			}
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s has no constants of type %s", file, kind)
	}
	return slices.Sorted(maps.Keys(found))
}
