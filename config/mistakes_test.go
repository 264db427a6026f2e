package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

var update = flag.Bool("update", false, "write the messages in testdata, and the schema in docs, anew")

// Each file in testdata/mistakes is one mistake; what Load says of it stands
// beside it. Read the diff after -update: these are the words users get.
func TestMistakes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			checkGolden(t, strings.TrimSuffix(file, ".yaml")+".want", refused(t, file, nil).Error()+"\n")
		})
	}
}

// refused loads what must be refused, and checks what holds for every refusal.
func refused(t *testing.T, path string, environ []string) Mistakes {
	t.Helper()
	config, err := Load(path, environ)
	var mistakes Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("Load = %+v, %v, want Mistakes", config, err)
	}
	var told *problem.Error
	if !errors.As(err, &told) || told.Code != problem.InvalidConfig || told.Message != err.Error() {
		t.Errorf("problem is %+v, want code %s and the same words", told, problem.InvalidConfig)
	}
	if config != nil {
		t.Errorf("a refused configuration was returned: %+v", config)
	}
	for _, m := range mistakes {
		if m.File == "" || m.Why == "" || m.Mend == "" {
			t.Errorf("incomplete mistake %+v", m)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the message tells the secret: %s", err)
	}
	return mistakes
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}
