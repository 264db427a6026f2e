package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration file, in bytes: a thousand images take a tenth
// of it.
const maxFile = 4 << 20

// readDocument reads the configuration file as viper wants it. No path is no
// file.
func (r *reader) readDocument(path string) map[string]any {
	if path == "" {
		return nil
	}
	b, why := r.readFile(path, maxFile)
	if why != "" {
		r.spoil("", why, "name a configuration file that Prewarm's user can read")
		return nil
	}
	return r.decode(b, reflect.TypeFor[document](), "write at least hosts and images into it")
}

// decode reads the text of the reader's file. mendEmpty is for one that holds
// nothing.
func (r *reader) decode(b []byte, document reflect.Type, mendEmpty string) map[string]any {
	root, refusal := parse(b)
	switch {
	case refusal != nil:
		r.at[""] = position{r.source, refusal.line}
		r.spoil("", refusal.why, refusal.mend)
		return nil
	case isNull(root):
		r.spoil("", "it holds nothing", mendEmpty)
		return nil
	}
	values, _ := r.walk(root, document, "").(map[string]any)
	return values
}

// refusal is why a text is no YAML document, and where.
type refusal struct {
	line      int // from 1; 0 where it can't be told
	why, mend string
}

// parse reads YAML into nodes. Text without a document is a null node.
func parse(b []byte) (*yaml.Node, *refusal) {
	if i := invalidUTF8(b); i >= 0 {
		return nil, &refusal{1 + bytes.Count(b[:i], []byte("\n")), "it is not UTF-8 text", "save it as UTF-8"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	case err != nil:
		return nil, syntax(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &refusal{second.Line, "a second YAML document begins", "keep one document, without a line --- within it"}
	case !errors.Is(err, io.EOF):
		return nil, syntax(err)
	}
	return first.Content[0], nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax tells what the YAML parser said. Its words hold nothing of the text
// but the name of an unknown anchor, and that can be a password.
func syntax(err error) *refusal {
	if strings.Contains(err.Error(), "unknown anchor") {
		return &refusal{0, "an alias (*…) names nothing", "put a value that begins with * in quotes"}
	}
	told := &refusal{0, "it is not YAML", "look for wrong indentation and missing quotes, here and in the lines that follow"}
	if match := yamlError.FindStringSubmatch(err.Error()); match != nil {
		if line, err := strconv.Atoi(match[1]); err == nil {
			told.line = line
		}
		told.why += ": " + match[2]
	}
	return told
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		c, size := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// readLimited reads a file of at most limit bytes, or says why it can't.
func readLimited(path string, limit int64) (b []byte, why string) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plainReason(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, "it is a folder, not a file"
	}
	b, err = io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, plainReason(err)
	case int64(len(b)) > limit:
		return nil, fmt.Sprintf("it is larger than %d KiB", limit>>10)
	}
	return b, ""
}

// plainReason is a file error without the path, which a Mistake names already.
func plainReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "Prewarm's user may not read it"
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return "it can't be read: " + pathErr.Err.Error()
	}
	return "it can't be read: " + err.Error()
}
