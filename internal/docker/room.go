package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// room is what of a container has to be writable for every user: images run as
// user 1000, and folders and volumes that an engine makes are root's alone.
type room struct {
	open   []string      // folders, sorted
	shared string        // that of them which runs share
	own    []mount.Mount // a volume for the result under a read-only root
}

// roomFor plans the folders of a spec that any user may write to: that of its
// result file, its scratch volume, the volume of its scope. A result that could
// not be written, or not be read after the end, is problem.InvalidRequest.
func roomFor(c runner.Container) (room, error) {
	var r room
	s := c.Spec
	if s.Scratch != nil && s.Scratch.Kind == runner.Volume {
		r.open = append(r.open, path.Clean(s.Scratch.Target))
	}
	if s.ScopeVolume != "" {
		r.shared = path.Clean(s.ScopeVolume)
		r.open = append(r.open, r.shared)
	}
	if s.Result != "" {
		if err := r.result(c); err != nil {
			return room{}, err
		}
	}
	slices.Sort(r.open)
	r.open = slices.Compact(r.open)
	return r, nil
}

func (r *room) result(c runner.Container) error {
	file := path.Clean(c.Spec.Result)
	dir := path.Dir(file)
	under, covered := covering(mounts(c), file)
	switch {
	case !path.IsAbs(file) || file == "/":
		return badResult(c, "it is no absolute path of a file", "give a path like /airflow/xcom/return.json")
	case covered && under.Type == mount.TypeTmpfs, !covered && inMemory(file):
		return badResult(c, "it lies in memory, which is gone when the program has ended", "give a path that is not below a tmpfs")
	case covered && under.ReadOnly:
		return badResult(c, "it lies on the mount "+under.Target+", which is read-only", "give a path that can be written to")
	case covered && under.Type == mount.TypeBind:
		return nil // a folder of the host's, whose owner decides who writes
	case !covered && dir == "/":
		return badResult(c, "the root folder is not made writable for all users", "give a path in a folder of its own")
	case !covered && c.Spec.ReadOnly:
		r.own = append(r.own, mount.Mount{Type: mount.TypeVolume, Target: dir})
	}
	r.open = append(r.open, dir)
	return nil
}

func badResult(c runner.Container, why, mend string) error {
	return problem.New(problem.InvalidRequest, creating(c)+": the result file "+c.Spec.Result+": "+why, mend)
}

// covering gives the mount that a path lies on: the innermost.
func covering(all []mount.Mount, file string) (on mount.Mount, covered bool) {
	for _, m := range all {
		if below(file, path.Clean(m.Target)) && len(path.Clean(m.Target)) >= len(path.Clean(on.Target)) {
			on, covered = m, true
		}
	}
	return on, covered
}

func below(file, folder string) bool {
	return file == folder || strings.HasPrefix(file, strings.TrimSuffix(folder, "/")+"/")
}

// inMemory tells what every container has in memory, or not at all.
func inMemory(file string) bool {
	return slices.ContainsFunc([]string{"/dev", "/proc", "/sys"}, func(dir string) bool { return below(file, dir) })
}

// furnish gives a container that was created and not started the room that it
// needs.
func (h *Host) furnish(ctx context.Context, made container.InspectResponse, c runner.Container, r room) error {
	switch {
	case len(r.open) == 0:
		return nil
	case !c.Spec.ReadOnly:
		return h.widen(ctx, made.ID, r)
	}
	helper, err := h.helper(ctx, made, c, r)
	if err != nil {
		return err
	}
	err = h.widen(ctx, helper, r)
	if problem.CodeOf(err) != problem.HostUnreachable {
		h.discard(ctx, helper)
	}
	return err
}

// helper makes a container that is never started, with the volumes of one whose
// root is read-only: an archive is unpacked in none of those. It mounts them by
// their names, which the engine has given to all, so they stay when it goes. It
// has the run's label, so that a sweep leaves it alone while the run is created;
// one that was left behind goes with the first sweep after the run's end.
func (h *Host) helper(ctx context.Context, made container.InspectResponse, c runner.Container, r room) (string, error) {
	var shared []mount.Mount
	for _, m := range made.Mounts {
		if m.Type == mount.TypeVolume && slices.ContainsFunc(r.open, func(dir string) bool { return below(dir, path.Clean(m.Destination)) }) {
			shared = append(shared, mount.Mount{Type: mount.TypeVolume, Source: m.Name, Target: m.Destination})
		}
	}
	var answer container.CreateResponse
	err := h.call(ctx, createLimit, creating(c)+": its helper", func(ctx context.Context, s *session) (err error) {
		of := &container.Config{Image: c.Pin.String(), Entrypoint: []string{"/helper"}, Labels: map[string]string{labelInstance: h.instance, labelRun: c.Run}}
		answer, err = s.api.ContainerCreate(ctx, of, &container.HostConfig{Mounts: shared, NetworkMode: "none", LogConfig: logConfig()}, nil, nil, "")
		return err
	})
	if problem.CodeOf(err) == problem.EngineAPI {
		err = h.refused(c, err)
	}
	return answer.ID, err
}

// discard removes a container that was never started.
func (h *Host) discard(ctx context.Context, id string) {
	if err := h.Remove(ctx, id); err != nil {
		h.log.Warn("a container that was never started stays behind", "container", short(id), "error", err)
	}
}

// widen makes folders of a created container writable for all, and makes those
// that are missing. Each is an entry of an archive that is unpacked at the root,
// through the mounts: engines from 28 on leave the mode of the very folder that
// an archive is unpacked in alone.
func (h *Host) widen(ctx context.Context, id string, r room) error {
	archive, err := r.archive()
	if err != nil {
		return err
	}
	what := "make " + strings.Join(r.open, ", ") + " in container " + short(id) + " writable for all users"
	err = h.call(ctx, createLimit, what, func(ctx context.Context, s *session) error {
		return s.api.CopyToContainer(ctx, id, "/", bytes.NewReader(archive), container.CopyToContainerOptions{})
	})
	if problem.CodeOf(err) != problem.EngineAPI {
		return err
	}
	said := problem.From(err).Err
	if found, known := heard(createSayings, said.Error()); known {
		return problem.Wrap(found.code, said, what+" on host "+h.name+": "+found.means, found.mend)
	}
	return problem.Wrap(problem.StartFailed, said, what+" on host "+h.name, "give paths whose folders are folders in the image, or are not there")
}

// archive has the folders. In each a user can remove its own files alone, as in
// /tmp (Ruby uses no other for temporary files), but for the one that runs share.
func (r room) archive() ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, folder := range r.open {
		mode := int64(0o1777)
		if folder == r.shared {
			mode = 0o777
		}
		err := w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: strings.TrimPrefix(folder, "/") + "/", Mode: mode, ModTime: time.Now(),
		})
		if err != nil {
			return nil, err
		}
	}
	return archive.Bytes(), w.Close()
}
