//go:build chart

package chart

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	for _, values := range append(examples(t), filepath.Join(chart, "values.yaml")) {
		run(t, nil, tool(t, "HELM"), "lint", "--strict", chart, "--values", values)
	}
}

// TestUnits runs charts/prewarm/tests, in the Helm 3 of helm-unittest; all else
// here is Helm 4.
func TestUnits(t *testing.T) {
	t.Logf("%s", run(t, nil, tool(t, "HELM_UNITTEST"), "--strict", chart))
}

// TestPage holds the chart's README.md against its values. helm-docs prints
// nothing, and calls that success, where it can't read the chart.
func TestPage(t *testing.T) {
	page := run(t, nil, tool(t, "HELM_DOCS"), "--dry-run", "--chart-search-root", chart, "--log-level", "warning")
	rows := regexp.MustCompile(`(?m)^\| ([\w.]+) \| \w+ \| .* \| (.*?) ?\|$`).FindAllSubmatch(page, -1)
	if len(rows) < 70 {
		t.Errorf("the page has %d values; there are more", len(rows))
	}
	for _, row := range rows {
		if len(row[2]) == 0 {
			t.Errorf("%s is not explained in values.yaml: write # -- above it", row[1])
		}
	}
	same(t, filepath.Join(chart, "README.md"), page, "make chart-generate")
}

// TestExamples compares what each example becomes with what it became when
// somebody looked at it last, and holds it against the schemas of Kubernetes.
func TestExamples(t *testing.T) {
	for _, values := range append(examples(t), "") {
		name := strings.TrimSuffix(filepath.Base(values), ".yaml")
		if values == "" {
			name = "default"
		}
		t.Run(name, func(t *testing.T) {
			objects := render(t, values)
			conforms(t, objects)
			same(t, filepath.Join("testdata", name+".yaml"), settled(t, objects), "make chart-generate")
		})
	}
}

// conforms fails where Kubernetes would refuse an object, or warn of a field.
func conforms(t *testing.T, objects []byte) {
	t.Helper()
	schemas := filepath.Join(tool(t, "KUBESCHEMAS"), "{{ .ResourceKind }}{{ .KindSuffix }}.json")
	run(t, objects, tool(t, "KUBECONFORM"), "-strict", "-schema-location", schemas, "-")
}

// TestConforms makes sure that the schemas can say no.
func TestConforms(t *testing.T) {
	objects := render(t, filepath.Join(chart, "examples", "full.yaml"))
	schemas := filepath.Join(tool(t, "KUBESCHEMAS"), "{{ .ResourceKind }}{{ .KindSuffix }}.json")
	for _, c := range []struct{ right, wrong, told string }{
		{"replicas: 1", "replicaz: 1", "'replicaz' not allowed"},
		{"team: \"data-platform\"", "team: y", "got boolean, want"},
		{"port: 8470", "port: http", "want integer"},
		{"relabelings:", "relabeling:", "'relabeling' not allowed"},
	} {
		wrong := bytes.Replace(objects, []byte(c.right), []byte(c.wrong), 1)
		told := refused(t, wrong, tool(t, "KUBECONFORM"), "-strict", "-schema-location", schemas, "-")
		if bytes.Equal(wrong, objects) || !strings.Contains(told, c.told) {
			t.Errorf("%s in place of %s: kubeconform said %q, and not %q", c.wrong, c.right, told, c.told)
		}
	}
}

var (
	tokenLine = regexp.MustCompile(`(?m)^(  "[a-z0-9.-]+": )"[A-Za-z0-9+/]{64}"$`)
	blankEnd  = regexp.MustCompile(`(?m)[ \t]+$`)
)

// settled leaves out what is another each time, and copies of what is under
// review elsewhere.
func settled(t *testing.T, objects []byte) []byte {
	t.Helper()
	objects = tokenLine.ReplaceAll(objects, []byte(`$1"(made at install)"`))
	for name, indent := range map[string]string{"dashboard.json": "    ", "alerts.yaml": "  "} {
		text := strings.TrimSpace(string(read(t, filepath.Join(chart, "files", name))))
		objects = bytes.ReplaceAll(objects, []byte(indent+strings.ReplaceAll(text, "\n", "\n"+indent)), []byte(indent+"(files/"+name+")"))
	}
	return blankEnd.ReplaceAll(objects, nil)
}
