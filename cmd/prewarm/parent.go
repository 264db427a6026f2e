package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// initProcess takes the children of processes that die.
const initProcess = 1

// lookAtParent is how often the parent is looked at. The kernel can tell of its
// death (PR_SET_PDEATHSIG), but means the thread that started us by it.
const lookAtParent = time.Second

// partingTime is how long a reader's death may take to show: the kernel closes
// the files of a process before it gives its children away.
const partingTime = 500 * time.Millisecond

// parents are the processes that wait for this one. The zero value has none.
type parents struct {
	parent int
	// leader begins the session in which an Airflow task runs its command, and task
	// is its parent, the task's process: a shell between the two outlives that.
	leader, task int
	gone         chan struct{} // closed once they are; nil: never
}

// watchParents watches the program that started this one, and with airflow the
// task's process, too: going on without them would renew the keepalive of a run
// that nobody waits for. It watches nothing where they are not known, or where
// nohup says that they are not to matter.
func watchParents(ctx context.Context, airflow bool) parents {
	p := parents{parent: os.Getppid()}
	if p.parent == initProcess || signal.Ignored(syscall.SIGHUP) {
		return parents{}
	}
	if self, ok := statOf(os.Getpid()); ok && airflow {
		if leader, ok := statOf(self.session); ok && leader.parent > initProcess {
			p.leader, p.task = self.session, leader.parent
		}
	}
	p.gone = make(chan struct{})
	go func() {
		tick := time.NewTicker(lookAtParent)
		defer tick.Stop()
		for !p.left() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		close(p.gone)
	}()
	return p
}

// left says whether one of them is gone.
func (p parents) left() bool {
	if p.gone == nil {
		return false
	}
	if os.Getppid() != p.parent {
		return true
	}
	leader, ok := statOf(p.leader)
	return p.leader != 0 && (!ok || leader.parent != p.task)
}

// leave is left for one who has just seen a sign of it.
func (p parents) leave() bool {
	for end := time.Now().Add(partingTime); time.Now().Before(end) && p.gone != nil; time.Sleep(partingTime / 50) {
		if p.left() {
			return true
		}
	}
	return p.left()
}

// stat is what the kernel tells of a process.
type stat struct{ parent, session int }

// statOf reads it where there is a /proc; elsewhere nothing is known.
func statOf(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	// The name stands in parentheses and may have others in it.
	behind := string(text[strings.LastIndexByte(string(text), ')')+1:])
	var s stat
	var state string
	var group int
	_, err = fmt.Sscan(behind, &state, &s.parent, &group, &s.session)
	return s, err == nil
}
