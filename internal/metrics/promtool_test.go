//go:build promtool

package metrics

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promtool runs Debian's promtool (test/setup.sh promtool installs it). It never
// skips: without the program the test fails and says so.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "promtool", args...)
	c.Stdin = strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", rulesFile)
}

func TestPromtoolFindsThatTheRulesFire(t *testing.T) {
	t.Parallel()
	promtool(t, "", "test", "rules", strings.TrimSuffix(rulesFile, ".yaml")+"_test.yaml")
}

func TestPromtoolTakesAScrape(t *testing.T) {
	t.Parallel()
	promtool(t, scrape(t, lived(t)), "check", "metrics")
}

// The dashboard's questions become rules, which promtool knows to check.
func TestPromtoolTakesTheQuestionsOfTheDashboard(t *testing.T) {
	t.Parallel()
	filled := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$image", ".*", "$host", ".*")
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	n := 0
	for _, p := range mustDashboard(t).Panels {
		for _, q := range p.Targets {
			n++
			fmt.Fprintf(&rules, "      - {record: 'panel:%d', expr: '%s'}\n", n, filled.Replace(q.Expr))
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}
