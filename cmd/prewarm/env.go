package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// readEnv joins environment files and single variables, the later ones
// winning, as docker run does: NAME alone passes on the caller's value, and is
// left out where the caller has none.
func readEnv(files, vars []string, lookup func(string) (string, bool)) ([]string, error) {
	var env []string
	add := func(where, v string) error {
		name, _, given := strings.Cut(v, "=")
		if name == "" || strings.ContainsAny(name, " \t") {
			return fmt.Errorf("%s: %q is no variable's name: write NAME=value or NAME", where, name)
		}
		if !given {
			value, ok := lookup(name)
			if !ok {
				return nil
			}
			v = name + "=" + value
		}
		if !utf8.ValidString(v) {
			return fmt.Errorf("%s: the value of %s is not UTF-8", where, name) // JSON would carry another
		}
		env = append(slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") }), v)
		return nil
	}
	for _, path := range files {
		if err := eachLine(path, add); err != nil {
			return nil, err
		}
	}
	for _, v := range vars {
		if err := add("--env", v); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// maxEnvLine bounds a line of an environment file, in bytes: all of a request
// may be that long.
const maxEnvLine = 1 << 20

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// eachLine passes the lines of an environment file that are neither empty nor
// comments.
func eachLine(path string, add func(where, v string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read --env-file: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxEnvLine)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		line = strings.TrimLeft(line, " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := add(fmt.Sprintf("%s, line %d", path, n), line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read --env-file %s: %w", path, err)
	}
	return nil
}
