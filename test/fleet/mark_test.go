package fleet

import (
	"strings"
	"testing"
	"time"
)

func TestMarkCovers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		mark            mark
		environ, cgroup string
		want            bool
	}{
		{"1a2b3c", "A=b\x00PREWARM_FLEET=1a2b3c/etl-1\x00", "", true},
		{"1a2b3c/etl-1", "PREWARM_FLEET=1a2b3c/etl-1\x00", "", true},
		{"1a2b3c/etl-1", "PREWARM_FLEET=1a2b3c/etl-10\x00", "", false},
		{"1a2b3c/etl-1", "PREWARM_FLEET=1a2b3c/registry\x00", "", false},
		{"1a2b3c", "PREWARM_FLEET=1a2b3cd/etl-1\x00", "", false},
		{"1a2b3c", "OLD_PREWARM_FLEET=1a2b3c\x00", "", false},
		{"1a2b3c", "", "4:cpu:/prewarm-1a2b3c/etl-2/0123\n0::/\n", true},
		{"1a2b3c/etl-1", "", "0::/prewarm-1a2b3c/etl-1/0123\n", true},
		{"1a2b3c/etl-1", "", "0::/prewarm-1a2b3c/etl-10/0123\n", false},
		{"1a2b3c", "", "0::/docker/0123\n", false},
		{"1a2b3c", "", "", false},
	} {
		if got := tc.mark.covers([]byte(tc.environ), []byte(tc.cgroup)); got != tc.want {
			t.Errorf("%s covers %q %q: %v", tc.mark, tc.environ, tc.cgroup, got)
		}
	}
}

func TestStartedAreNeitherPartsNorContainers(t *testing.T) {
	t.Parallel()
	m := mark(newID()) + "/etl-1"
	mine := sleeper(t, m.environ())
	sleeper(t, (m + "/sshd").environ())
	sleeper(t, (m + "0").environ())
	got, err := m.started()
	if err != nil || len(got) != 1 || got[0] != mine {
		t.Errorf("found %v %v, want %v", got, err, mine)
	}
	if !m.contains([]byte("0::/prewarm-" + string(m) + "/0123\n")) {
		t.Error("a container is taken for none")
	}
}

func TestKillAllEndsWhatIsMarkedAndNothingElse(t *testing.T) {
	t.Parallel()
	fleet := mark(newID())
	one, other := fleet+"/etl-1", fleet+"/etl-2"
	mine, neighbour, stranger := sleeper(t, one.environ()), sleeper(t, other.environ()), sleeper(t)
	if err := one.killAll(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if mine.alive() || !neighbour.alive() || !stranger.alive() {
		t.Errorf("alive: marked %v, neighbour %v, stranger %v", mine.alive(), neighbour.alive(), stranger.alive())
	}
	if err := fleet.killAll(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if neighbour.alive() || !stranger.alive() {
		t.Errorf("alive: neighbour %v, stranger %v", neighbour.alive(), stranger.alive())
	}
	left := sleeper(t, one.environ())
	if err := one.killAll(-time.Second); err == nil || !strings.Contains(err.Error(), "still run") {
		t.Errorf("no time, a process left (%v): %v", left.alive(), err)
	}
}
