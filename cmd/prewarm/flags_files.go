package main

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// fileFlags are the file systems in the container.
type fileFlags struct {
	volumes, mounts, tmpfs []string
	scratch                string
	scopeVolume            string
	keepVolume             bool
	readOnly               bool
	result                 string
}

func (f *fileFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.volumes, "volume", "v", nil, "mount `source:target[:ro]`: a path of the host, or a volume by its name; may be repeated")
	flags.StringArrayVar(&f.mounts, "mount", nil, "mount by `fields`: type=bind,source=/srv/data,target=/data,readonly, or type=volume, type=tmpfs; may be repeated")
	flags.StringArrayVar(&f.tmpfs, "tmpfs", nil, "mount memory at this `path`, as /path[:size=64m,mode=1777]; may be repeated")
	flags.StringVar(&f.scratch, "scratch", "", "space for temporary files as `volume|tmpfs`, with [:/path][:size=1g] behind it; TMPDIR leads there, and it goes with the container")
	flags.Lookup("scratch").NoOptDefVal = "volume"
	flags.StringVar(&f.scopeVolume, "scope-volume", "", "mount the volume of the pin scope at this `path`: files for the scope's next task, on the same host")
	flags.BoolVar(&f.keepVolume, "keep-volume-on-failure", false, "keep the scope's volume at the scope's end if this run failed")
	flags.BoolVar(&f.readOnly, "read-only", false, "the container's root file system can't be written")
	flags.StringVar(&f.result, "result", "", "JSON file at this `path` in the container that is returned with the run, such as "+resultPath)
}

func (f *fileFlags) apply(r *api.SubmitRun) error {
	r.ReadOnly, r.KeepVolume = f.readOnly, f.keepVolume
	for _, kind := range []struct {
		words []string
		read  func(string) (api.Mount, error)
	}{{f.volumes, readVolume}, {f.mounts, readMount}, {f.tmpfs, readTmpfs}} {
		for _, word := range kind.words {
			m, err := kind.read(word)
			if err != nil {
				return err
			}
			r.Mounts = append(r.Mounts, m)
		}
	}
	var err error
	if r.Scratch, err = readScratch(f.scratch); err != nil {
		return err
	}
	for flag, path := range map[string]string{"scope-volume": f.scopeVolume, "result": f.result} {
		if path == "" {
			continue
		}
		if err := absolute(flag, path, path); err != nil {
			return err
		}
	}
	r.ScopeVolume, r.Result = f.scopeVolume, f.result
	return nil
}

// readVolume reads one of --volume: source:target[:ro|rw], or the target alone for
// a volume that is removed with the container.
func readVolume(word string) (api.Mount, error) {
	m := api.Mount{Type: "volume"}
	switch parts := strings.Split(word, ":"); {
	case len(parts) == 1:
		m.Target = parts[0]
	case len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw":
		return m, fmt.Errorf("--volume %q: %q is not among ro and rw", word, parts[2])
	case len(parts) > 3 || parts[0] == "":
		return m, fmt.Errorf("--volume %q: write it as /srv/data:/data:ro or name:/data", word)
	default:
		m.Source, m.Target = parts[0], parts[1]
		m.ReadOnly = len(parts) == 3 && parts[2] == "ro"
	}
	if strings.HasPrefix(m.Source, "/") {
		m.Type = "bind"
	} else if strings.ContainsAny(m.Source, "/~") || strings.HasPrefix(m.Source, ".") {
		return m, fmt.Errorf("--volume %q: the path is one of the host that runs it, so write it from the root", word)
	}
	return m, absolute("volume", word, m.Target)
}

// readMount reads one of --mount: fields with commas between them.
func readMount(word string) (api.Mount, error) {
	m := api.Mount{Type: "volume"}
	fields, err := csv.NewReader(strings.NewReader(word)).Read()
	if err != nil {
		return m, fmt.Errorf("--mount %q: write it as type=bind,source=/srv/data,target=/data", word)
	}
	for _, field := range fields {
		key, value, given := strings.Cut(field, "=")
		if err := mountField(&m, strings.ToLower(key), value, given); err != nil {
			return m, fmt.Errorf("--mount %q: %w", word, err)
		}
	}
	switch {
	case m.Type != "tmpfs" && (m.Size != 0 || m.Mode != 0):
		return m, fmt.Errorf("--mount %q: tmpfs-size and tmpfs-mode are for type=tmpfs", word)
	case m.Type == "tmpfs" && m.Source != "":
		return m, fmt.Errorf("--mount %q: a tmpfs has no source", word)
	case m.Type == "bind" && !strings.HasPrefix(m.Source, "/"):
		return m, fmt.Errorf("--mount %q: source is a path of the host that runs it, so write it from the root", word)
	}
	return m, absolute("mount", word, m.Target)
}

func mountField(m *api.Mount, key, value string, given bool) (err error) {
	if value == "" && (given || key != "readonly" && key != "ro") {
		return fmt.Errorf("%s has no value", key)
	}
	switch key {
	case "type":
		m.Type = strings.ToLower(value)
		if m.Type != "bind" && m.Type != "volume" && m.Type != "tmpfs" {
			return fmt.Errorf("type is bind, volume or tmpfs, not %q", value)
		}
	case "source", "src":
		m.Source = value
	case "target", "dst", "destination":
		m.Target = value
	case "readonly", "ro":
		m.ReadOnly = true
		if given {
			m.ReadOnly, err = strconv.ParseBool(value)
		}
	case "tmpfs-size":
		m.Size, err = tmpfsSize(value)
	case "tmpfs-mode":
		m.Mode, err = tmpfsMode(value)
	default:
		return fmt.Errorf("%q is not among type, source, target, readonly, tmpfs-size and tmpfs-mode", key)
	}
	return err
}

// readTmpfs reads one of --tmpfs.
func readTmpfs(word string) (api.Mount, error) {
	path, options, _ := strings.Cut(word, ":")
	m := api.Mount{Type: "tmpfs", Target: path}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		var err error
		switch key {
		case "", "rw":
		case "ro":
			m.ReadOnly = true
		case "size":
			m.Size, err = tmpfsSize(value)
		case "mode":
			m.Mode, err = tmpfsMode(value)
		default:
			err = fmt.Errorf("%q is not among size, mode, ro and rw", key)
		}
		if err != nil {
			return m, fmt.Errorf("--tmpfs %q: %w", word, err)
		}
	}
	return m, absolute("tmpfs", word, m.Target)
}

func tmpfsSize(value string) (int64, error) {
	bytes, err := units.RAMInBytes(value)
	if err != nil || bytes <= 0 {
		return 0, fmt.Errorf("the size is %q: write it as 64m", value)
	}
	return bytes, nil
}

// tmpfsMode reads permission bits, which are written as octal digits.
func tmpfsMode(value string) (uint32, error) {
	mode, err := strconv.ParseUint(value, 8, 32)
	if err != nil || mode > 0o7777 {
		return 0, fmt.Errorf("the mode is %q: write it as 1777", value)
	}
	return uint32(mode), nil
}

// readScratch reads --scratch; empty is none.
func readScratch(word string) (*api.Scratch, error) {
	if word == "" {
		return nil, nil
	}
	bad := fmt.Errorf("--scratch=%s: write it as --scratch, --scratch=volume:/work or --scratch=tmpfs:/work:size=1g", word)
	s := &api.Scratch{Type: "volume"}
	for i, part := range strings.Split(word, ":") {
		value, sized := strings.CutPrefix(part, "size=")
		switch {
		case i == 0 && (part == "volume" || part == "tmpfs"):
			s.Type = part
		case i == 0 && part == "":
		case s.Target == "" && s.Size == 0 && strings.HasPrefix(part, "/"):
			s.Target = part
		case sized && s.Type == "tmpfs" && s.Size == 0:
			var err error
			if s.Size, err = tmpfsSize(value); err != nil {
				return nil, fmt.Errorf("--scratch=%s: %w", word, err)
			}
		default:
			return nil, bad
		}
	}
	return s, nil
}
