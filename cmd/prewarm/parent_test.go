package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// orphan starts prewarm run from a shell that is killed when the first line is
// there, and gives the path of the status file that the program leaves.
func orphan(t *testing.T, s *stub, prefix string) string {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "status"), filepath.Join(dir, "out")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", prefix+` prewarm run jobs --status-file "$0" >"$1" 2>&1 & wait`, file, out)
	shell.Env = append(os.Environ(), "PREWARM_URL="+s.URL)
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, func() bool {
		printed, _ := os.ReadFile(out) // it comes with the first line
		return strings.Contains(string(printed), "line 1")
	})
	time.Sleep(lookAtParent / 2) // it knows its parent
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // it was killed
	return file
}

// until waits for something to be so.
func until(t *testing.T, limit time.Duration, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}

// statusOf waits for a status file.
func statusOf(t *testing.T, file string) string {
	t.Helper()
	var status []byte
	until(t, time.Minute, func() (there bool) {
		var err error
		status, err = os.ReadFile(file)
		return err == nil
	})
	return string(status)
}

// A program whose parent died ends, for its caller is gone, and cancels nothing.
func TestParentGone(t *testing.T) {
	t.Parallel()
	s := newStub(t, 1, func(s *stub) { s.live = true })
	status := statusOf(t, orphan(t, s, ""))
	if !strings.Contains(status, `"code": 129,`) || !strings.Contains(status, "run "+stubRun+" goes on") {
		t.Errorf("status file: %q", status)
	}
	select {
	case <-s.canceled:
		t.Error("the run was canceled")
	default:
	}
}

// A task of Airflow is killed, and with it goes who read the output: a run that
// prints is not canceled for that, for a retry comes for it. The shell between
// the two is not killed.
func TestTaskKilled(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"it prints":                         "prewarm run",
		"a shell of several commands":       "true; prewarm run",
		"a shell, and the program is quiet": "true; prewarm run --quiet",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := 200
			program, quiet := strings.CutSuffix(program, " --quiet")
			if quiet {
				lines = 1
			}
			s := newStub(t, lines, func(s *stub) { s.live, s.pace = true, 20*time.Millisecond })
			status := statusOf(t, killTask(t, s, program))
			if !strings.Contains(status, `"code": 129,`) {
				t.Errorf("status file: %s", status)
			}
			select {
			case <-s.canceled:
				t.Error("the run was canceled")
			default:
			}
		})
	}
}

// killTask runs a command as a BashOperator does, in a session of its own with
// a pipe to the task's process, kills that process when the first line is there,
// and gives the path of the status file.
func killTask(t *testing.T, s *stub, command string) string {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "status"), filepath.Join(dir, "out")
	command += " jobs --airflow --map-index -1 --epoch 0 --status-file " + file + " >" + dir + "/pipe 2>&1; true"
	task := exec.CommandContext(t.Context(), "sh", "-c",
		`mkfifo "$0/pipe"; setsid sh -c "$1" & while read -r line; do echo "$line" >>"$0/out"; done <"$0/pipe"`, dir, command)
	task.Env = withEnv(airflowEnv, append(os.Environ(), "PREWARM_URL="+s.URL)...)
	if err := task.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, func() bool {
		printed, _ := os.ReadFile(out) // it comes with the first line
		return strings.Contains(string(printed), "line 1")
	})
	if err := task.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = task.Wait() // it was killed
	return file
}

// Who starts it under nohup wants it to stay, to the run's end.
func TestParentGoneUnderNohup(t *testing.T) {
	t.Parallel()
	s := newStub(t, 1, func(s *stub) { s.live = true })
	file := orphan(t, s, "nohup")
	time.Sleep(3 * lookAtParent)
	if status, err := os.ReadFile(file); err == nil {
		t.Errorf("it ended: %s", status)
	}
	close(s.canceled) // the run ends
	if status := statusOf(t, file); !strings.Contains(status, `"code": 0,`) {
		t.Errorf("status file: %s", status)
	}
}
