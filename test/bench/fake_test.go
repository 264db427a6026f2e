package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Few runs: the figures mean nothing, but a Runner is killed and comes back.
func TestRecoveryIsMeasuredInMemory(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := beFake(t.Context(), "recovery 5 0s", &out); err != nil {
		t.Fatal(err)
	}
	var a recoveryTime
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Read <= 0 || a.Followed < a.Read {
		t.Errorf("measured %+v, %v", a, err)
	}
}

func TestBeFakeRefuses(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"loud", "loud x 1s", "loud 5 x", "silent 5 1s"} {
		if err := beFake(t.Context(), words, &bytes.Buffer{}); err == nil {
			t.Errorf("%q: want an error", words)
		}
	}
}
