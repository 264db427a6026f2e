package config

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Mount is a file system in the containers of runs.
type Mount struct {
	Kind     MountKind
	Source   string // a host's path, or a volume's name; empty for tmpfs and an anonymous volume
	Target   string // absolute
	ReadOnly bool
	Size     int64  // of a tmpfs, in bytes; 0: the engine's own bound
	Mode     uint32 // of a tmpfs; 0: 1777
}

// MountKind is what is mounted.
type MountKind string

// The kinds.
const (
	BindMount   MountKind = "bind"
	VolumeMount MountKind = "volume"
	TmpfsMount  MountKind = "tmpfs"
)

const mendMount = "write it as in type=bind,source=/srv/data,target=/data,readonly or /srv/data:/data:ro"

// ownVolumes begins the names of volumes that the server makes.
const ownVolumes = "prewarm-"

var volumeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]+$`)

func (r *reader) mounts(field string, written []string) []Mount {
	var list []Mount
	targets := make(map[string]string)
	for i, text := range written {
		entry := fmt.Sprintf("%s[%d]", field, i)
		if r.spoiled[entry] {
			continue
		}
		m, why, mend := parseMount(text)
		first, taken := targets[m.Target]
		switch {
		case why != "":
			r.add(entry, text, why, mend)
			continue
		case !r.mountPaths(entry, m):
			continue
		case taken:
			r.add(entry, text, first+" is mounted there already", "choose another target, or keep one of the two")
		}
		targets[m.Target] = entry
		list = append(list, m)
	}
	return list
}

// mountPaths tells whether a mount has a source and a target of its kind.
func (r *reader) mountPaths(entry string, m Mount) bool {
	switch {
	case m.Target == "":
		r.add(entry, "", "it does not say where in the container", mendMount)
	case m.Kind == VolumeMount && m.Source != "" && !volumeName.MatchString(m.Source):
		r.add(entry, m.Source, "it is not the name of a volume", "write letters, digits, '_', '.' or '-', at least two of them, or an absolute path for a bind mount")
	case m.Kind == VolumeMount && strings.HasPrefix(m.Source, ownVolumes):
		r.add(entry, m.Source, "volumes that begin with prewarm- are the server's", "choose another name; for files of a pin scope, a submit says scope_volume")
	case m.Kind == BindMount && m.Source == "":
		r.add(entry, "", "it does not say what of the host is mounted", mendMount)
	case m.Target == "/":
		r.add(entry, m.Target, "it would cover the whole image", "choose another target")
	default:
		return (m.Kind != BindMount || r.fullPath(entry, m.Source)) && r.fullPath(entry, m.Target)
	}
	return false
}

// parseMount reads what docker run takes behind --mount and -v, or says why it
// can't.
func parseMount(text string) (m Mount, why, mend string) {
	if strings.ContainsAny(text, "\x00\n\r") {
		return m, "it is more than one line of text", mendMount
	}
	if strings.HasPrefix(text, "/") || !strings.Contains(text, "=") {
		return parseVolume(text)
	}
	return parseLongMount(text)
}

// parseVolume reads source:target:ro.
func parseVolume(text string) (m Mount, why, mend string) {
	parts := strings.Split(text, ":")
	if last := parts[len(parts)-1]; len(parts) > 1 && !strings.HasPrefix(last, "/") {
		switch last {
		case "ro":
			m.ReadOnly = true
		case "rw":
		default:
			return m, "it does not end with a path in the container, ro or rw", mendMount
		}
		parts = parts[:len(parts)-1]
	}
	m.Kind = VolumeMount
	switch len(parts) {
	case 1:
		m.Target = parts[0]
	case 2:
		m.Source, m.Target = parts[0], parts[1]
		if strings.HasPrefix(m.Source, "/") || strings.HasPrefix(m.Source, ".") || strings.HasPrefix(m.Source, "~") {
			m.Kind = BindMount
		}
		if m.Source == "" {
			return m, "nothing stands before its colon", mendMount
		}
	default:
		return m, "it is not a mount", mendMount
	}
	return m, "", ""
}

// parseLongMount reads type=…,source=…,target=…, as CSV like docker: a value
// with a comma is quoted.
func parseLongMount(text string) (m Mount, why, mend string) {
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return m, "it is not a mount", mendMount
	}
	m.Kind = VolumeMount
	for _, f := range fields {
		key, value, hasValue := strings.Cut(f, "=")
		ok := true
		switch strings.ToLower(key) {
		case "type":
			m.Kind = MountKind(strings.ToLower(value))
			ok = m.Kind == BindMount || m.Kind == VolumeMount || m.Kind == TmpfsMount
		case "source", "src":
			m.Source = value
		case "target", "destination", "dst":
			m.Target = value
		case "readonly", "ro":
			m.ReadOnly, ok = true, true
			if hasValue {
				m.ReadOnly, err = strconv.ParseBool(value)
				ok = err == nil
			}
		case "tmpfs-size":
			m.Size, ok = parseSize(value)
		case "tmpfs-mode":
			var mode uint64
			mode, err = strconv.ParseUint(value, 8, 12)
			m.Mode, ok = uint32(mode), err == nil
		default:
			return m, key + " is no part of a mount that is understood here", "write type (bind, volume, tmpfs), source, target, readonly, tmpfs-size and tmpfs-mode only"
		}
		if !ok {
			return m, "its " + key + " is wrong", mendMount
		}
	}
	switch {
	case m.Kind != TmpfsMount && (m.Size != 0 || m.Mode != 0):
		return m, "only a tmpfs has a size and a mode", "leave tmpfs-size and tmpfs-mode out, or write type=tmpfs"
	case m.Kind == TmpfsMount && m.Source != "":
		return m, "a tmpfs is made of memory and has no source", "leave source out"
	}
	return m, "", ""
}

// String is the mount as docker run takes it behind --mount.
func (m Mount) String() string {
	fields := []string{"type=" + string(m.Kind)}
	if m.Source != "" {
		fields = append(fields, "source="+m.Source)
	}
	fields = append(fields, "target="+m.Target)
	if m.ReadOnly {
		fields = append(fields, "readonly")
	}
	if m.Size != 0 {
		fields = append(fields, "tmpfs-size="+sizeText(m.Size))
	}
	if m.Mode != 0 {
		fields = append(fields, "tmpfs-mode="+strconv.FormatUint(uint64(m.Mode), 8))
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a Builder never fails, nor does its comma
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
