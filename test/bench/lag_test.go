package main

import (
	"fmt"
	"testing"
	"time"
)

func TestLagsReadTheFirstLineOfAPiece(t *testing.T) {
	t.Parallel()
	line := func(n int, ago time.Duration) string {
		return fmt.Sprintf("%d %d  \n", n, time.Now().Add(-ago).UnixNano())
	}
	l := &lags{}
	old := line(1, time.Hour)
	for _, piece := range []string{old[:3], old[3:] + line(2, time.Minute), line(3, time.Second)} {
		if _, err := fmt.Fprint(l, piece); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.all) != 2 || l.all[0] < time.Hour || l.all[1] > time.Minute || l.last > time.Minute {
		t.Errorf("read %+v", l)
	}
	for _, wrong := range []string{"1\n", "1 x\n", "1 2 3\n"} {
		if _, err := fmt.Fprint(&lags{}, wrong); err == nil {
			t.Errorf("%q: want an error", wrong)
		}
	}
}
