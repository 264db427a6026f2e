package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	pageFile      = "../../docs/metrics.md"
	runbooksFile  = "../../docs/runbooks.md"
	rulesFile     = "../../docs/monitoring/alerts.yaml"
	dashboardFile = "../../docs/monitoring/dashboard.json"
)

func mustRead(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTable holds the table of docs/metrics.md against what there is.
func TestTable(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- begin: written by make generate -->\n", "<!-- end -->"
	page := mustRead(t, pageFile)
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the table")
	}
	same(t, pageFile, before+begin+table(New("test").families)+end+after)
}

func table(families []*family) string {
	var b strings.Builder
	b.WriteString("\n| metric | type | labels | what it tells |\n|---|---|---|---|\n")
	rows := []string{fmt.Sprintf("| `%sbuild_info` | %s | `version`, `commit`, `goversion` | %s |\n", prefix, gauge, buildInfoHelp)}
	for _, f := range families {
		var labels []string
		for _, l := range f.labels() {
			labels = append(labels, "`"+l+"`"+valuesOf(f, l))
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.Join(labels, ", "), f.help))
	}
	slices.Sort(rows)
	b.WriteString(strings.Join(rows, "") + "\n")
	return b.String()
}

// valuesOf lists what a label can be, where that is a fixed set.
func valuesOf(f *family, label string) string {
	for _, w := range f.words {
		if w.label == label && len(w.values) > 0 {
			return " (" + strings.Join(w.values, ", ") + ")"
		}
	}
	return ""
}

var metricNames = regexp.MustCompile(prefix + `[a-z0-9_]+`)

// unknown gives the metrics that a text names and that there are not.
func unknown(text string) []string {
	there := map[string]bool{prefix + "build_info": true}
	for _, f := range New("test").families {
		there[f.name] = f.kind != histogram
		if f.kind == histogram {
			there[f.name+"_bucket"], there[f.name+"_sum"], there[f.name+"_count"] = true, true, true
		}
	}
	var all []string
	for _, name := range metricNames.FindAllString(text, -1) {
		if !there[name] && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

var (
	selectors = regexp.MustCompile(`(prewarm_[a-z_]+)\{([^}]*)\}`)
	matchers  = regexp.MustCompile(`^\s*(\w+)(?:=|!=|=~|!~)"(.*)"$`)
)

// oddSelectors gives the selectors of a text by labels that their metric has
// not, or by words that it never has.
func oddSelectors(text string) []string {
	var odd []string
	for _, found := range selectors.FindAllStringSubmatch(text, -1) {
		name := strings.TrimSuffix(strings.TrimSuffix(found[1], "_bucket"), "_count")
		i := slices.IndexFunc(New("test").families, func(f *family) bool { return f.name == name })
		if i < 0 {
			continue // unknown tells of it
		}
		f := New("test").families[i]
		for _, matcher := range strings.Split(found[2], ",") {
			parts := matchers.FindStringSubmatch(matcher)
			if parts == nil || !slices.Contains(f.labels(), parts[1]) {
				odd = append(odd, found[0])
				continue
			}
			for _, w := range f.words {
				for _, value := range strings.Split(parts[2], "|") {
					if w.label == parts[1] && !slices.Contains(w.values, value) {
						odd = append(odd, found[0])
					}
				}
			}
		}
	}
	return odd
}

func TestRulesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	rules, page := mustRead(t, rulesFile), mustRead(t, runbooksFile)
	if names := unknown(rules); len(names) > 0 {
		t.Errorf("there is no %s", names)
	}
	if odd := oddSelectors(rules); len(odd) > 0 {
		t.Errorf("never: %s", odd)
	}
	all := strings.Split(rules, "- alert: ")[1:]
	if len(all) < 10 {
		t.Fatalf("%d rules", len(all))
	}
	tests := mustRead(t, strings.TrimSuffix(rulesFile, ".yaml")+"_test.yaml")
	for _, rule := range all {
		name, _, _ := strings.Cut(rule, "\n")
		for _, wanted := range []string{"expr: ", "labels: {severity: ", `summary: "`, `description: "`, "runbook_url: https://github.com/prewarm/prewarm/blob/main/docs/runbooks.md#" + strings.ToLower(name) + "\n"} {
			if !strings.Contains(rule, wanted) {
				t.Errorf("%s has no %s", name, wanted)
			}
		}
		if !strings.Contains(page, "\n### "+name+"\n") {
			t.Errorf("there is no runbook for %s", name)
		}
		if !strings.Contains(tests, "alertname: "+name+"\n        exp_alerts:\n") || !strings.Contains(tests, "alertname: "+name+"\n        exp_alerts: []\n") {
			t.Errorf("no test lets %s fire, or none lets it be silent", name)
		}
	}
	for _, section := range strings.Split(page, "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		if !strings.Contains(rules, "- alert: "+name+"\n") {
			t.Errorf("there is a runbook for %s, and no rule", name)
		}
		for _, part := range []string{"**How urgent:** ", "**Look first:**", "**Causes and mends:**", "**It ends** "} {
			if !strings.Contains(text, part) {
				t.Errorf("the runbook for %s has no %s", name, part)
			}
		}
	}
}

// dashboard is the part of Grafana's format that the tests look at.
type dashboard struct {
	SchemaVersion int `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  struct{ Type, UID string }
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ RefID, Expr string }
}

func mustDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(mustRead(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	d := mustDashboard(t)
	if d.SchemaVersion < 39 || len(d.Templating.List) == 0 || d.Templating.List[0].Type != "datasource" || d.Templating.List[0].Name != "datasource" {
		t.Errorf("a dashboard of schema %d with the variables %v", d.SchemaVersion, d.Templating.List)
	}
	variables := regexp.MustCompile(`\$(image|host|__rate_interval|__range)\b`)
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	var asked strings.Builder
	for _, p := range d.Panels {
		if ids[p.ID] || titles[p.Title] {
			t.Errorf("panel %d (%s) is there twice", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s covers %s, or does not fit", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("%s: %+v", p.Title, p)
		}
		for _, q := range p.Targets {
			if rest := variables.ReplaceAllString(q.Expr, ""); strings.Contains(rest, "$") {
				t.Errorf("%s asks for a variable that there is not: %s", p.Title, q.Expr)
			}
			asked.WriteString(q.Expr + "\n")
		}
	}
	text := asked.String()
	if names := unknown(text); len(names) > 0 {
		t.Errorf("there is no %s", names)
	}
	if odd := oddSelectors(text); len(odd) > 0 {
		t.Errorf("never: %s", odd)
	}
	for _, f := range New("test").families {
		if !strings.Contains(text, f.name) {
			t.Errorf("the dashboard does not show %s", f.name)
		}
	}
}
