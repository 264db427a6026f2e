package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestTag(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	digest, err := r.Push(t.Context(), "etl/jobs:v1", ProgramImage("v1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Tag(t.Context(), "etl/jobs:v1", "latest"); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(r.Addr + "/etl/jobs:latest")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := remote.Head(tag); err != nil || got.Digest.String() != digest {
		t.Errorf("the tag shows %v, want %s (%v)", got, digest, err)
	}
	if err := r.Delete(t.Context(), "etl/jobs@"+digest); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"tag etl/jobs@" + digest: r.Tag(t.Context(), "etl/jobs@"+digest, "again"),
		"delete etl/none":        r.Delete(t.Context(), "etl/none@"+digest),
		"untag etl/jobs:v1":      r.Untag("etl/jobs:v1"), // not in this registry's folder
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
