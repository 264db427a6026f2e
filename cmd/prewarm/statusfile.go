package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// statusFile tells programs how prewarm run ended: there, no exit code of the
// container can be mistaken for one of ours. It is there as a whole or not at
// all.
type statusFile struct{ path string }

// newStatusFile takes an earlier one away, which would else be taken for this
// one's when the program is killed. Without a path there is none.
func newStatusFile(path string) (*statusFile, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("--status-file %s: it is no regular file", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--status-file: %w", err)
	}
	f := &statusFile{path}
	// Before anything is executed: can it be written at all?
	probe, err := f.create()
	if err != nil {
		return nil, err
	}
	return f, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func (f *statusFile) create() (*os.File, error) {
	file, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return nil, fmt.Errorf("--status-file: %w", err)
	}
	return file, nil
}

// status is what stands in the file.
type status struct {
	Code    int    `json:"code"`              // what prewarm run exits with
	Message string `json:"message,omitempty"` // as on stderr
	Mend    string `json:"mend,omitempty"`

	Run       string          `json:"run,omitempty"` // missing: the server accepted none, as far as is known
	State     string          `json:"state,omitempty"`
	ExitCode  *int            `json:"exit_code,omitempty"` // the container's
	Signal    int             `json:"signal,omitempty"`
	OOMKilled bool            `json:"oom_killed,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"`
	Image     string          `json:"image,omitempty"`
	Pin       string          `json:"pin,omitempty"`
	Host      string          `json:"host,omitempty"`
	Key       string          `json:"key,omitempty"`
	Log       *api.RunLog     `json:"log,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
}

// newStatus is the status of a run as it was seen last (of none: the zero Run),
// and of the program's own end.
func newStatus(run api.Run, end error) status {
	code, said := exitCode(end)
	s := status{
		Code: code, Run: run.ID, State: run.State, ExitCode: run.ExitCode, Signal: run.Signal, OOMKilled: run.OOMKilled,
		Reason: run.Reason, Detail: run.Detail, Image: run.Image, Pin: run.Pin, Host: run.Host, Key: run.Key, Result: run.Result,
	}
	if run.ID != "" {
		s.Log = &run.Log
	}
	if said == nil {
		return s
	}
	s.Message = said.Error()
	var p *problem.Error
	if errors.As(said, &p) {
		s.Mend = p.Mend
		if run.ID == "" {
			s.Reason = string(p.Code)
		}
	}
	return s
}

// close writes the file and gives the program's end. The file is for programs
// that wait for it, so one that can't be written is told beside that end.
func (f *statusFile) close(run api.Run, end error) error {
	if f == nil {
		return end
	}
	err := f.write(newStatus(run, end))
	if err == nil {
		return end
	}
	code, said := exitCode(end)
	if code == 0 {
		code = exitFailed
	}
	return &codeError{code: code, err: also(said, err)}
}

func (f *statusFile) write(s status) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("--status-file: %w", err)
	}
	file, err := f.create()
	if err != nil {
		return err
	}
	_, err = file.Write(append(b, '\n'))
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("--status-file: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
